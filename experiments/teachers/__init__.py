"""Other taggers, asked for what students learn: scripts for environments of their own."""
