"""kafka-python, which is written in Python throughout, against a log: SCENARIO BOOTSTRAP; prints one JSON value."""

import json
import sys
import time
import uuid

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

bootstrap = sys.argv[2]


def new_topic(partitions=1):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    topic = f"python-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(topic, partitions, 1)])
    admin.close()
    return topic


def read(consumer, count, seconds=60):
    values = []
    deadline = time.monotonic() + seconds
    while len(values) < count and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=200).values():
            values += [record.value.decode() for record in records]
    return values


def produce_and_consume():
    """An idempotent producer with each compression, then a group that goes on where it was."""
    sent = [f"{i} {'x' * (i % 90)}" for i in range(500)]
    result = {}
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        topic = new_topic()
        producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, acks="all")
        for value in sent:
            producer.send(topic, value.encode(), key=b"k", headers=[("h", b"1")])
        producer.flush(20)
        producer.close()
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        consumer.assign([TopicPartition(topic, 0)])
        result[codec or "none"] = read(consumer, len(sent)) == sent
        consumer.close()
    group = f"group-{uuid.uuid4().hex[:8]}"

    def member():
        return KafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
        )

    first = member()
    result["read"] = len(read(first, len(sent)))
    first.commit()
    first.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(topic, b"more").get(10)
    producer.close()
    second = member()
    result["read on"] = read(second, 1)
    second.close()
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    result["offset"] = admin.list_group_offsets(group)[group][TopicPartition(topic, 0)].offset
    admin.close()
    return result


def transactions():
    topic = new_topic()
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"tx-{uuid.uuid4().hex[:8]}")
    producer.init_transactions()
    for value, commit in [(b"a", True), (b"b", False), (b"c", True)]:
        producer.begin_transaction()
        producer.send(topic, value).get(10)
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    result = {}
    for isolation, count in [("read_committed", 2), ("read_uncommitted", 3)]:
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level=isolation)
        consumer.assign([TopicPartition(topic, 0)])
        result[isolation] = read(consumer, count)
        consumer.close()
    return result


def administration():
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    topic = new_topic(2)
    result = {"listed": topic in admin.list_topics()}
    result["partitions"] = [len(each["partitions"]) for each in admin.describe_topics([topic])]
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])
    except TopicAlreadyExistsError as error:
        result["again"] = type(error).__name__
    result["cluster"] = [[each["host"], each["port"]] for each in admin.describe_cluster()["brokers"]]
    admin.delete_topics([topic])
    result["deleted"] = topic not in admin.list_topics()
    admin.close()
    return result


print(json.dumps(globals()[sys.argv[1]]()))
