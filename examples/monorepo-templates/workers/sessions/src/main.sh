serve sessions
