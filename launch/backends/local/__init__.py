"""This machine: kfp.local, recorded, watched and cached; each stage a process, or a container."""
