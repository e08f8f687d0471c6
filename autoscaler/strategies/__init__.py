"""The built-in strategies, one file each. PURE: a snapshot in, proposals out; what is safe is the guards' business."""
