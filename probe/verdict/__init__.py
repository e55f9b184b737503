"""What facts mean: pairing with controls, findings, rules, judging. Pure, total, order-free."""
