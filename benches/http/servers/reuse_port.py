"""Plain processes, each with a socket of its own on one port (SO_REUSEPORT), and nobody between them and the kernel."""
import os
import socket
import subprocess
import sys

port, workers = int(os.environ["PORT"]), int(os.environ["WORKERS"])
script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "single.js")
children = []
for _ in range(workers):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(511)
    fd = listener.fileno()
    environment = {**os.environ, "FD": str(fd)}
    child = subprocess.Popen([sys.argv[1], script], pass_fds=[fd], env=environment, stdout=subprocess.PIPE)
    child.stdout.readline()
    children.append(child)
    listener.close()
print("ready", flush=True)
try:
    for child in children:
        child.wait()
except KeyboardInterrupt:
    pass
finally:
    for child in children:
        child.kill()
