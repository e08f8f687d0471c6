"""Runs on a management VM: the app-VM runtime and its metrics exporter."""
