"""What operators see: Prometheus collector over the engine's state, HTTP endpoints. Reads state, never changes it."""
