"""The subcommands of `oidcwatch drill` that concern running drills, one file each."""
