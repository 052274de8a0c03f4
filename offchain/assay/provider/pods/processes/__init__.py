"""The small programs that stay beside a pod, and what they share."""
