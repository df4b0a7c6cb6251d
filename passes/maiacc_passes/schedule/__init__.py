"""The placed stage: who waits for whom, how many of each buffer there are, and where they lie."""
