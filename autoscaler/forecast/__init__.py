"""Demand forecasters behind one fit/predict interface: arrays in, quantiles out. PURE."""
