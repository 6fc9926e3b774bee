"""confluent-kafka, which is librdkafka, against a log: SCENARIO BOOTSTRAP; prints one JSON value."""

import json
import subprocess
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

bootstrap = sys.argv[2]
admin = AdminClient({"bootstrap.servers": bootstrap})


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def new_topic(partitions=1, config=None):
    topic = unique("confluent")
    admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(10)
    return topic


def new_producer(**settings):
    return Producer({"bootstrap.servers": bootstrap, **{key.replace("_", "."): value for key, value in settings.items()}})


def produce(producer, topic, values, partition=None):
    failures = []

    def delivered(error, _):
        if error is not None:
            failures.append(str(error))

    for value in values:
        target = {} if partition is None else {"partition": partition}
        producer.produce(topic, value=value, key=value, on_delivery=delivered, **target)
    producer.flush(20)
    return failures


def new_consumer(group=None, **settings):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group or unique("group"),
            "auto.offset.reset": "earliest",
            **{key.replace("_", "."): value for key, value in settings.items()},
        }
    )


def read(consumer, count, seconds=60):
    """Values in the order they come, until there are so many or the time is over."""
    values = []
    deadline = time.monotonic() + seconds
    while len(values) < count and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.2):
            if message.error() is not None:
                raise KafkaException(message.error())
            values.append(message.value().decode())
    return values


def read_to_end(topic, **settings):
    """Of the first partition, by the consumer's own notion of its end."""
    consumer = new_consumer(enable_partition_eof=True, **settings)
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = []
    while True:
        message = consumer.poll(10)
        if message is None or (message.error() and message.error().code() == KafkaError._PARTITION_EOF):
            consumer.close()
            return values
        if message.error():
            raise KafkaException(message.error())
        values.append(message.value().decode())


def compressions():
    """An idempotent producer, each compression, headers and timestamps."""
    sent = [f"{i} {'x' * (i % 90)}" for i in range(2000)]
    result = {}
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = new_topic()
        failures = produce(new_producer(enable_idempotence=True, compression_type=codec), topic, sent)
        result[codec] = failures == [] and read_to_end(topic) == sent
    topic = new_topic()
    producer = new_producer()
    producer.produce(topic, key=b"k", value=None, headers=[("a", b"1"), ("n", None)], timestamp=1234567890123)
    producer.flush(10)
    consumer = new_consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(10)
    result["record"] = [
        message.key().decode(),
        message.value(),
        [[name, None if value is None else value.decode()] for name, value in message.headers()],
        message.timestamp()[1],
    ]
    consumer.close()
    return result


def transactions():
    """Commits, aborts, offsets in a transaction, and a producer that is fenced by its successor."""
    source, target, group, transactional_id = new_topic(), new_topic(), unique("group"), unique("tx")
    produce(new_producer(), source, ["a", "b", "c"])
    consumer = new_consumer(group, enable_auto_commit=False, isolation_level="read_committed")
    consumer.subscribe([source])
    producer = new_producer(transactional_id=transactional_id)
    producer.init_transactions(10)
    for offset, value in enumerate(read(consumer, 3)):
        producer.begin_transaction()
        produce(producer, target, [value.upper()])
        done = [TopicPartition(source, 0, offset + 1)]
        producer.send_offsets_to_transaction(done, consumer.consumer_group_metadata(), 10)
        if value == "c":
            producer.abort_transaction(10)
        else:
            producer.commit_transaction(10)
    successor = new_producer(transactional_id=transactional_id)
    successor.init_transactions(10)
    try:
        producer.begin_transaction()
        producer.produce(target, value="Z")
        producer.commit_transaction(10)
        fenced = "not fenced"
    except KafkaException as error:
        fenced = error.args[0].name()
    successor.begin_transaction()
    produce(successor, target, ["open"])
    result = {
        "committed": read_to_end(target, isolation_level="read_committed"),
        "all": read_to_end(target, isolation_level="read_uncommitted"),
        "fenced": fenced,
        "offset": consumer.committed([TopicPartition(source, 0)], 10)[0].offset,
    }
    successor.abort_transaction(10)
    consumer.close()
    return result


def groups():
    """Two members with cooperative-sticky: the second takes over some partitions while the first keeps the others."""
    topic, group = new_topic(6), unique("group")
    revoked = []
    settings = {
        "partition_assignment_strategy": "cooperative-sticky",
        "heartbeat_interval_ms": 200,
        "session_timeout_ms": 6000,
    }

    def member():
        consumer = new_consumer(group, **settings)
        consumer.subscribe([topic], on_revoke=lambda _, partitions: revoked.append(len(partitions)))
        return consumer

    def settle(members, seen, shares):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for each in members:
                for message in each.consume(100, 0.05):
                    seen.append(message.value().decode())
            if sorted(len(each.assignment()) for each in members) == shares:
                return True
        return False

    seen = []
    first = member()
    alone = settle([first], seen, [6])
    second = member()
    shared = settle([first, second], seen, [3, 3])
    sent = [f"{i}" for i in range(300)]
    failures = produce(new_producer(), topic, sent)
    deadline = time.monotonic() + 60
    while len(seen) < len(sent) and time.monotonic() < deadline:
        settle([first, second], seen, [3, 3])
    description = admin.describe_consumer_groups([group])[group].result(10)
    result = {
        "alone": alone,
        "shared": shared,
        "revoked": revoked[:],
        "failures": failures,
        "all": sorted(seen, key=int) == sent,
        "state": description.state.name,
        "assignor": description.partition_assignor,
        "members": sorted(len(each.assignment.topic_partitions) for each in description.members),
    }
    second.close()
    result["alone again"] = settle([first], seen, [6])
    first.close()
    listed = {each.group_id: each.state.name for each in admin.list_consumer_groups().result().valid}
    result["listed"] = listed.get(group)
    admin.delete_consumer_groups([group])[group].result(10)
    result["deleted"] = group not in {each.group_id for each in admin.list_consumer_groups().result().valid}
    return result


def consumer_protocol():
    """The group protocol of KIP-848: one member comes later, one is killed, one commits in transactions."""
    topic, group = new_topic(6), unique("group")

    def member(**settings):
        consumer = new_consumer(group, group_protocol="consumer", **settings)
        consumer.subscribe([topic])
        return consumer

    seen = []

    def settle(members, shares, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for each in members:
                seen.extend(message.value().decode() for message in each.consume(100, 0.05))
            if sorted(len(each.assignment()) for each in members) == shares:
                return True
        return False

    first = member(group_remote_assignor="range")
    result = {"alone": settle([first], [6])}
    second = member()
    result["shared"] = settle([first, second], [3, 3])
    # In a process of its own, to be killed while it holds partitions.
    victim = subprocess.Popen([sys.executable, sys.argv[0], "hold_partitions", bootstrap, topic, group])
    result["three"] = settle([first, second], [2, 2])
    sent = [f"{i}" for i in range(600)]
    produce(new_producer(), topic, sent)
    victim.kill()
    victim.wait()
    result["without the killed"] = settle([first, second], [3, 3])
    deadline = time.monotonic() + 60
    while len(seen) < len(sent) and time.monotonic() < deadline:
        settle([first, second], [3, 3])
    result["all"] = sorted(seen, key=int) == sent
    description = admin.describe_consumer_groups([group])[group].result(10)
    result["state"] = description.state.name
    result["type"] = description.type.name
    result["assignor"] = description.partition_assignor
    result["members"] = sorted(len(each.assignment.topic_partitions) for each in description.members)
    second.close()
    result["alone again"] = settle([first], [6])

    producer = new_producer(transactional_id=unique("tx"))
    producer.init_transactions(10)
    producer.begin_transaction()
    ahead = [TopicPartition(topic, 0, 1000)]
    producer.send_offsets_to_transaction(ahead, first.consumer_group_metadata(), 10)
    producer.commit_transaction(10)
    result["transaction"] = first.committed([TopicPartition(topic, 0)], 10)[0].offset
    first.close()
    listed = {each.group_id: [each.type.name, each.state.name] for each in admin.list_consumer_groups().result().valid}
    result["listed"] = listed.get(group)
    return result


def hold_partitions():
    """Takes part in a group until it is killed; it commits nothing and keeps what it reads to itself."""
    topic, group = sys.argv[3:]
    consumer = new_consumer(group, group_protocol="consumer", enable_auto_commit=False, queued_min_messages=1)
    consumer.subscribe([topic])
    while True:
        # Keeps it alive without reading anything.
        consumer.pause(consumer.assignment())
        consumer.poll(0.05)


def survive():
    """Reads slowly, committing what it has read, while somebody else kills the broker."""
    topic = new_topic(3)
    sent = [f"{i}" for i in range(1500)]
    produce(new_producer(), topic, sent)
    consumer = new_consumer("survivor", group_protocol="consumer", enable_auto_commit=False)
    consumer.subscribe([topic])
    seen = set()
    next_offsets, again, lost = {}, 0, 0
    deadline = time.monotonic() + 120
    while len(seen) < len(sent) and time.monotonic() < deadline:
        messages = [each for each in consumer.consume(20, 0.2) if each.error() is None]
        for message in messages:
            expected = next_offsets.get(message.partition(), 0)
            again += message.offset() < expected
            lost += message.offset() > expected
            next_offsets[message.partition()] = message.offset() + 1
            seen.add(message.value().decode())
        while messages:
            try:
                consumer.commit(asynchronous=False)
                break
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise
                if error.args[0].code() == KafkaError._NO_OFFSET:
                    break
                time.sleep(0.05)
    consumer.close()
    return {"all": sorted(seen, key=int) == sent, "read again": again, "lost its place": lost}


def administration():
    """Topics and their settings."""
    topic = new_topic(2, {"retention.ms": "1000000"})
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def setting(name):
        return admin.describe_configs([resource])[resource].result(10)[name].value

    result = {"created": [len(admin.list_topics(topic, 10).topics[topic].partitions), setting("retention.ms")]}
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(10)
    change = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
            ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
        ],
    )
    admin.incremental_alter_configs([change])[change].result(10)
    result["altered"] = [
        len(admin.list_topics(topic, 10).topics[topic].partitions),
        setting("retention.ms"),
        setting("cleanup.policy"),
    ]
    produce(new_producer(), topic, ["a", "b", "c"], 1)
    at = TopicPartition(topic, 1)
    deleted = admin.delete_records([TopicPartition(topic, 1, 2)])
    result["low watermark"] = [each.result(10).low_watermark for each in deleted.values()]
    offsets = {}
    for name, spec in [("earliest", OffsetSpec.earliest()), ("latest", OffsetSpec.latest()), ("max", OffsetSpec.max_timestamp())]:
        offsets[name] = admin.list_offsets({at: spec})[at].result(10).offset
    result["offsets"] = offsets
    cluster = admin.describe_cluster().result(10)
    result["cluster"] = [len(cluster.nodes), cluster.controller.id]
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    except KafkaException as error:
        result["again"] = error.args[0].name()
    admin.delete_topics([topic])[topic].result(10)
    result["deleted"] = topic not in admin.list_topics(timeout=10).topics
    return result


print(json.dumps(globals()[sys.argv[1]]()))
