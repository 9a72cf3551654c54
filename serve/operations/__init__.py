"""What those who run the service look at: metrics, health, readiness."""
