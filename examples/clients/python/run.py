"""A small Longshore client: watches the boot, lists containers, and runs one, over gRPC alone.

    pip install -r requirements.txt
    python -m grpc_tools.protoc -I ../../../proto --python_out=gen --grpc_python_out=gen $(cd ../../../proto && find longshore -name '*.proto')
    python run.py unix:///run/longshore/docker.sock IMAGE COMMAND [ARG ...]

Prints the boot's steps, the containers that there are, and what the command writes; exits with the command's code.
"""

import os
import secrets
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen"))

import grpc  # noqa: E402
from longshore.daemon.v1 import config_pb2, container_pb2, container_pb2_grpc, control_pb2, control_pb2_grpc  # noqa: E402
from longshore.execdriver.v1 import stream_pb2, stream_pb2_grpc  # noqa: E402

SECONDS = 30


def watch_boot(channel):
    for event in control_pb2_grpc.ControlServiceStub(channel).WatchBoot(control_pb2.WatchBootRequest()):
        if event.outcome == control_pb2.STEP_OUTCOME_DONE and not event.finished:
            print(f"step {event.number}: {event.step}: {event.detail}")


def list_containers(containers):
    for row in containers.ListContainers(container_pb2.ListContainersRequest(all=True)):
        print(f"container {row.container.name}: {container_pb2.ContainerStatus.Name(row.container.state.status)}")


def run(channel, containers, image, command):
    """Creates a container, attaches before it starts so that no byte is missed, waits, removes it; gives its exit code."""
    container_id = secrets.token_hex(32)
    containers.CreateContainer(
        container_pb2.CreateContainerRequest(
            id=container_id,
            config=config_pb2.ContainerConfig(image=image, cmd=config_pb2.StringList(values=command)),
        ),
        timeout=SECONDS,
        # The same call again, under the same id, gives the same answer.
        metadata=[("request-id", f"create-{container_id}")],
    )
    opening = stream_pb2.AttachRequest(
        open=stream_pb2.AttachOpen(id=container_id, stdout=True, stderr=True, follow=True)
    )
    frames = stream_pb2_grpc.StreamServiceStub(channel).Attach(iter([opening]))
    assert next(frames).WhichOneof("frame") == "ready"
    containers.StartContainer(container_pb2.StartContainerRequest(container=container_id), timeout=SECONDS)
    code = 0
    for frame in frames:
        kind = frame.WhichOneof("frame")
        if kind == "exit":
            code = frame.exit.code
        else:
            stream = sys.stdout.buffer if kind == "stdout" else sys.stderr.buffer
            stream.write(getattr(frame, kind))
            stream.flush()
    containers.RemoveContainer(container_pb2.RemoveContainerRequest(container=container_id), timeout=SECONDS)
    return code


def main(endpoint, image, command):
    with grpc.insecure_channel(endpoint, options=[("grpc.default_authority", "localhost")]) as channel:
        containers = container_pb2_grpc.ContainerServiceStub(channel)
        watch_boot(channel)
        list_containers(containers)
        sys.stdout.flush()
        return run(channel, containers, image, command)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
