"""What the deployment's contracts hold, typed."""
