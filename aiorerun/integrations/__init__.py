"""What brings other libraries and services into recordings; each module is imported on its own."""
