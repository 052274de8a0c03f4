"""Ready-made pods, one small file each; whoever runs or rents may add a folder of their own."""
