"""Independent work side by side: on threads, in processes, on a cluster."""
