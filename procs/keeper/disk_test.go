package keeper

func fullDiskRole(args []string) int { return 0 }
