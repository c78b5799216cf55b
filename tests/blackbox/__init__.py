"""Black-box tests: the built program against real SMTP servers and a scripted one."""
