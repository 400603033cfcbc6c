"""The plan: what a flow means, before anything runs. No room here touches a disk or a process."""
