"""kafka-connect-py against a worker: SCENARIO URL; prints one JSON value."""

import json
import os
import sys
import tempfile
import time

from kafka_connect import KafkaConnect
from requests.exceptions import HTTPError

client = KafkaConnect(url=sys.argv[2])


def until(condition):
    """What the condition gives, once it is not false; everything else is asynchronous."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError("waited 60 s in vain")


def in_state(name, state, tasks=1):
    def look():
        status = client.get_connector_status(name)
        states = [status["connector"]["state"]] + [task["state"] for task in status["tasks"]]
        return status if states == [state] * (tasks + 1) else None

    return until(look)


def status_of(call):
    try:
        call()
    except HTTPError as error:
        return error.response.status_code if error.response is not None else str(error)
    return None


def source(name, folder):
    path = os.path.join(folder, name + ".txt")
    with open(path, "w") as file:
        file.write("one\n")
    return {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1",
        "file": path,
        "topic": name,
        "topic.creation.default.partitions": "1",
        "topic.creation.default.replication.factor": "1",
    }


def life(folder):
    """A connector, from its creation to its end, by every call that the client has for one."""
    config = source("one", folder)
    created = client.create_connector({"name": "one", "config": config})
    status = in_state("one", "RUNNING")
    found = {
        "cluster": sorted(client.get_cluster_info()),
        "created": [created["name"], created["type"]],
        "status": [status["name"], status["type"], [task["id"] for task in status["tasks"]]],
        "listed": client.list_connectors(),
        "running": sorted(client.list_connectors(expand="status", state="running")),
        "info": client.get_connector("one")["tasks"],
        "config": client.get_connector_config("one") == {**config, "name": "one"},
        "tasks": [task["id"] for task in client.list_connector_tasks("one")],
        "task": client.get_connector_task_status("one", 0)["state"],
        "topics": until(lambda: client.list_connector_topics("one")["one"]["topics"]),
    }
    updated = client.update_connector("one", {**config, "batch.size": "10"})
    found["updated"] = updated["config"]["batch.size"]
    in_state("one", "RUNNING")
    client.restart_connector_task("one", 0)
    in_state("one", "RUNNING")
    found["restarted"] = client.restart_connector("one")
    restarting = client.restart_connector("one", include_tasks=True)
    found["restarting"] = [restarting["connector"]["state"]] + [task["state"] for task in restarting["tasks"]]
    in_state("one", "RUNNING")
    client.pause_connector("one")
    in_state("one", "PAUSED")
    client.resume_connector("one")
    in_state("one", "RUNNING")
    client.reset_connector_topics("one")
    client.stop_connector("one")
    in_state("one", "STOPPED", tasks=0)
    client.delete_connector("one")
    found["after"] = client.list_connectors()
    return found


def many(folder):
    """Several at once, chosen by pattern and state."""
    for name in ["a1", "a2", "b1"]:
        client.create_connector({"name": name, "config": source(name, folder)})
    for name in ["a1", "a2", "b1"]:
        in_state(name, "RUNNING")
    client.pause_all_connectors(pattern="a.*")
    for name in ["a1", "a2"]:
        in_state(name, "PAUSED")
    paused = sorted(client.list_connectors(expand="status", state="PAUSED"))
    client.resume_all_connectors(state="PAUSED")
    for name in ["a1", "a2"]:
        in_state(name, "RUNNING")
    client.restart_all_connectors(include_tasks=True)
    client.stop_all_connectors(pattern="b.*")
    in_state("b1", "STOPPED", tasks=0)
    client.delete_all_connectors()
    return {"paused": paused, "after": client.list_connectors()}


def refusals(folder):
    """What the client makes of errors, and of a validation."""
    config = source("twice", folder)
    client.create_connector({"name": "twice", "config": config})
    plugin = "FileStreamSourceConnector"
    right = client.validate_connector_config(plugin, {**config, "name": "twice"})
    wrong = client.validate_connector_config(plugin, {**config, "name": "twice", "tasks.max": "many"})
    classes = {plugin["class"]: plugin["type"] for plugin in client.list_connector_plugins()}
    found = {
        "again": status_of(lambda: client.create_connector({"name": "twice", "config": config})),
        "wrong": status_of(lambda: client.update_connector("twice", {**config, "tasks.max": "many"})),
        "unknown": status_of(lambda: client.get_connector("none")),
        "validated": [right["error_count"], wrong["error_count"]],
        "plugin": classes[config["connector.class"]],
    }
    client.delete_connector("twice")
    return found


with tempfile.TemporaryDirectory() as folder:
    print(json.dumps({"life": life, "many": many, "refusals": refusals}[sys.argv[1]](folder)))
