"""What is offered at which price, and which lease was opened on which offer."""
