"""What is a fault: pure functions over what was published. Whatever they find a contract will find as well."""
