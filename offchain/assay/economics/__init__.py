"""What each way of cheating earns or loses, on the rules that the network runs."""
