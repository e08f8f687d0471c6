// One PlanetLab day under CloudSim 3.0.3, files in name order, logging off; prints one line of figures.
// Usage: java -cp <cloudsim classes>:<examples classes>:<commons-math3> CloudSimDay.java FOLDER lr|thr|iqr|mad mmt|mu|mc SAFETY
import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Comparator;
import java.util.List;
import org.cloudbus.cloudsim.Cloudlet;
import org.cloudbus.cloudsim.DatacenterBroker;
import org.cloudbus.cloudsim.HostStateHistoryEntry;
import org.cloudbus.cloudsim.Log;
import org.cloudbus.cloudsim.UtilizationModelNull;
import org.cloudbus.cloudsim.UtilizationModelPlanetLabInMemory;
import org.cloudbus.cloudsim.Vm;
import org.cloudbus.cloudsim.core.CloudSim;
import org.cloudbus.cloudsim.examples.power.Constants;
import org.cloudbus.cloudsim.examples.power.Helper;
import org.cloudbus.cloudsim.power.*;

public class CloudSimDay {
    public static void main(String[] arguments) throws Exception {
        Log.disable();
        CloudSim.init(1, Calendar.getInstance(), false);
        DatacenterBroker broker = Helper.createBroker();
        List<Cloudlet> load = load(new File(arguments[0]), broker.getId());
        List<Vm> machines = Helper.createVmList(broker.getId(), load.size());
        List<PowerHost> hosts = Helper.createHostList(800);
        PowerDatacenter center = (PowerDatacenter) Helper.createDatacenter(
                "Datacenter", PowerDatacenter.class, hosts, policy(hosts, arguments));
        broker.submitVmList(machines);
        broker.submitCloudletList(load);
        CloudSim.terminateSimulation(Constants.SIMULATION_LIMIT);
        long begun = System.nanoTime();
        CloudSim.startSimulation();
        double seconds = (System.nanoTime() - begun) / 1e9;
        CloudSim.stopSimulation();
        System.out.println();
        System.out.printf("{\"energy_kwh\": %.6f, \"migrations\": %d, \"slatah\": %.8f, \"simulation_s\": %.3f}%n",
                center.getPower() / 3.6e6, center.getMigrationCount(), violatedShare(hosts), seconds);
    }

    // Of the time in which hosts were active, the part in which they gave less than was asked for.
    private static double violatedShare(List<PowerHost> hosts) {
        double active = 0, violated = 0;
        for (PowerHost host : hosts) {
            HostStateHistoryEntry before = null;
            for (HostStateHistoryEntry entry : host.getStateHistory()) {
                if (before != null && before.isActive()) {
                    double span = entry.getTime() - before.getTime();
                    active += span;
                    violated += before.getAllocatedMips() < before.getRequestedMips() ? span : 0;
                }
                before = entry;
            }
        }
        return violated / active;
    }

    private static List<Cloudlet> load(File folder, int broker) throws Exception {
        File[] files = folder.listFiles();
        Arrays.sort(files, Comparator.comparing(File::getName));
        List<Cloudlet> load = new ArrayList<>();
        for (int row = 0; row < files.length; row++) {
            Cloudlet one = new Cloudlet(row, Constants.CLOUDLET_LENGTH, Constants.CLOUDLET_PES, 300, 300,
                    new UtilizationModelPlanetLabInMemory(files[row].getAbsolutePath(), Constants.SCHEDULING_INTERVAL),
                    new UtilizationModelNull(), new UtilizationModelNull());
            one.setUserId(broker);
            one.setVmId(row);
            load.add(one);
        }
        return load;
    }

    private static PowerVmAllocationPolicyMigrationAbstract policy(List<PowerHost> hosts, String[] arguments) {
        PowerVmSelectionPolicy quickest = new PowerVmSelectionPolicyMinimumMigrationTime();
        PowerVmSelectionPolicy select = arguments[2].equals("mmt") ? quickest
                : arguments[2].equals("mu") ? new PowerVmSelectionPolicyMinimumUtilization()
                : new PowerVmSelectionPolicyMaximumCorrelation(quickest);
        double safety = Double.parseDouble(arguments[3]);
        PowerVmAllocationPolicyMigrationAbstract fallback =
                new PowerVmAllocationPolicyMigrationStaticThreshold(hosts, select, 0.7);
        switch (arguments[1]) {
            case "thr": return new PowerVmAllocationPolicyMigrationStaticThreshold(hosts, select, safety);
            case "iqr": return new PowerVmAllocationPolicyMigrationInterQuartileRange(hosts, select, safety, fallback);
            case "mad": return new PowerVmAllocationPolicyMigrationMedianAbsoluteDeviation(hosts, select, safety, fallback);
            default: return new PowerVmAllocationPolicyMigrationLocalRegression(
                    hosts, select, safety, Constants.SCHEDULING_INTERVAL, fallback);
        }
    }
}
