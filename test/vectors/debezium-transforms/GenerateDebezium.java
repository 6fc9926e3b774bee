import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;

/** What Debezium's own transforms make of change events. Uses ../transforms/Generate.java. See README.md. */
public class GenerateDebezium {
    static final Schema key = SchemaBuilder.struct().name("srv.public.orders.Key").field("id", Schema.INT32_SCHEMA).build();
    static final Schema row = SchemaBuilder.struct().name("srv.public.orders.Value").optional().field("id", Schema.INT32_SCHEMA).field("name", Schema.OPTIONAL_STRING_SCHEMA)
        .field("kind", SchemaBuilder.string().optional().defaultValue("plain").build()).field("state", SchemaBuilder.string().defaultValue("new").build())
        .field("price", Decimal.builder(2).optional().build()).field("at", SchemaBuilder.int64().name("io.debezium.time.MicroTimestamp").version(1).optional().build()).build();
    static final Schema source = SchemaBuilder.struct().name("io.debezium.connector.postgresql.Source").version(1).field("version", Schema.STRING_SCHEMA).field("connector", Schema.STRING_SCHEMA)
        .field("name", Schema.STRING_SCHEMA).field("ts_ms", Schema.INT64_SCHEMA).field("snapshot", SchemaBuilder.string().name("io.debezium.data.Enum").version(1).parameter("allowed", "true,false").optional().defaultValue("false").build())
        .field("db", Schema.STRING_SCHEMA).field("table", Schema.STRING_SCHEMA).field("lsn", Schema.OPTIONAL_INT64_SCHEMA).build();
    static final Schema transaction = SchemaBuilder.struct().name("event.block").version(1).optional().field("id", Schema.STRING_SCHEMA).field("total_order", Schema.INT64_SCHEMA).field("data_collection_order", Schema.INT64_SCHEMA).build();

    static Schema envelope(String name, Schema of) {
        return SchemaBuilder.struct().name(name + ".Envelope").version(2).field("before", of).field("after", of).field("source", source).field("transaction", transaction)
            .field("op", Schema.STRING_SCHEMA).field("ts_ms", Schema.OPTIONAL_INT64_SCHEMA).field("ts_us", Schema.OPTIONAL_INT64_SCHEMA).build();
    }

    static Struct source(String table) {
        return new Struct(source).put("version", "3.7.0.Final").put("connector", "postgresql").put("name", "srv").put("ts_ms", 1_700_000_000_000L).put("db", "shop").put("table", table).put("lsn", 9_007_199_254_740_993L);
    }

    static Struct event(Schema envelope, String op, Struct before, Struct after, boolean inTransaction) {
        Struct made = new Struct(envelope).put("before", before).put("after", after).put("source", source("orders")).put("op", op).put("ts_ms", 1_700_000_000_123L).put("ts_us", 1_700_000_000_123_456L);
        if (inTransaction) made.put("transaction", new Struct(transaction).put("id", "571:98").put("total_order", 3L).put("data_collection_order", 1L));
        return made;
    }

    static Struct row(int id, String name, String state) {
        return new Struct(row).put("id", id).put("name", name).put("state", state).put("price", new BigDecimal("12.50")).put("at", 1_700_000_000_123_456L);
    }

    static void add(String topic, Schema keySchema, Object key, Schema schema, Object value, List<String> drop) {
        ConnectHeaders headers = new ConnectHeaders();
        headers.addString("trace", "abc");
        if (drop != null) headers.addList("drop", drop, SchemaBuilder.array(Schema.STRING_SCHEMA).build());
        Generate.records.add(new SourceRecord(Map.of(), Map.of(), topic, 2, keySchema, key, schema, value, 1_700_000_000_999L, headers));
    }

    static void makeRecords() {
        Schema orders = envelope("srv.public.orders", row);
        Struct id = new Struct(key).put("id", 7);
        String topic = "srv.public.orders_shard1";
        add(topic, key, id, orders, event(orders, "c", null, row(7, "target", "open"), true), null);
        add(topic, key, id, orders, event(orders, "r", null, new Struct(row).put("id", 7).put("state", "open"), false), null);
        add(topic, key, id, orders, event(orders, "u", row(7, "old", "open"), row(7, "new", "done"), true), List.of("name", "price"));
        add(topic, key, id, orders, event(orders, "u", null, row(7, " ", "done"), false), List.of("id", "name", "nowhere"));
        add(topic, key, id, orders, event(orders, "d", row(7, "gone", "done"), null, true), null);
        add(topic, key, id, orders, event(orders, "d", new Struct(row).put("id", 7).put("state", "x"), null, false), List.of("name", "id"));
        add(topic, key, id, null, null, null);
        add(topic, key, id, null, null, List.of("id"));
        add(topic, null, null, orders, event(orders, "t", null, null, false), null);
        add(topic, null, null, orders, event(orders, "c", null, row(8, "no key", "open"), false), null);
        add(topic, key, id, orders, event(orders, "c", null, row(9, "none", "open"), false), List.of());
        Generate.records.add(new SinkRecord(topic, 1, key, id, orders, event(orders, "c", null, row(10, "sink", "open"), false), 5, 12L, TimestampType.CREATE_TIME));
        Schema heartbeat = SchemaBuilder.struct().name("io.debezium.connector.common.Heartbeat").version(1).field("ts_ms", Schema.INT64_SCHEMA).build();
        Schema server = SchemaBuilder.struct().name("io.debezium.connector.common.ServerNameKey").version(1).field("serverName", Schema.STRING_SCHEMA).build();
        add("__debezium-heartbeat.srv", server, new Struct(server).put("serverName", "srv"), heartbeat, new Struct(heartbeat).put("ts_ms", 5L), null);
        Schema status = SchemaBuilder.struct().name("io.debezium.connector.common.TransactionMetadataValue").version(1).field("status", Schema.STRING_SCHEMA).field("id", Schema.STRING_SCHEMA).build();
        add("srv.transaction", server, new Struct(server).put("serverName", "srv"), status, new Struct(status).put("status", "BEGIN").put("id", "571:98"), null);
        Schema message = SchemaBuilder.struct().name("io.debezium.connector.postgresql.MessageValue").version(1).field("op", Schema.STRING_SCHEMA).field("message", SchemaBuilder.struct().field("prefix", Schema.STRING_SCHEMA).build()).build();
        add("srv.message", server, new Struct(server).put("serverName", "srv"), message,
            new Struct(message).put("op", "m").put("message", new Struct(message.field("message").schema()).put("prefix", "p")), null);
        add(topic, null, "text", null, Map.of("op", "c"), null);
        add(topic, Schema.STRING_SCHEMA, "k", Schema.STRING_SCHEMA, "v", null);
        outbox(row());
        outbox(row().put("payload", null).put("ts", null));
        outbox(row().put("payload", "  "));
        outbox(row().put("aggregatetype", "Bill 7").put("part", null));
        for (String json : new String[] {
            "{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":1.5,\"big\":3000000000,\"n\":null,\"e\":[],\"o\":{\"p\":{\"q\":1}},\"l\":[1,2],\"s\":[\"a\",null]}", "{}", "not json", "{\"a\":[1,\"x\"]}", "{\"a\":[1,3000000000]}",
            "{\"l\":[{\"x\":1},{\"x\":2,\"y\":\"z\"},null]}", "{\"l\":[[1],[2]]}", "{\"l\":[{\"x\":1},{\"x\":2}]}", "{\"l\":[{\"x\":1},{\"x\":2,\"y\":\"z\"}]}", "{\"a\":1", "{\"l\":[null]}", "{\"f\":1e2,\"g\":-0.0,\"h\":1.0}", "{\"constructor\":1,\"a.b\":2}",
        }) outbox(row().put("payload", json));
        Struct update = outboxEvent("u", row());
        add("srv.public.outbox", key, id, update.schema(), update, null);
        Struct delete = outboxEvent("d", row());
        add("srv.public.outbox", key, id, delete.schema(), delete, null);
        Struct read = outboxEvent("r", row());
        add("srv.public.outbox", null, null, read.schema(), read, null);
    }

    static final Schema box = SchemaBuilder.struct().name("srv.public.outbox.Value").optional().field("id", SchemaBuilder.string().name("io.debezium.data.Uuid").version(1).build()).field("aggregatetype", Schema.STRING_SCHEMA)
        .field("aggregateid", Schema.INT64_SCHEMA).field("type", Schema.STRING_SCHEMA).field("payload", SchemaBuilder.string().name("io.debezium.data.Json").version(1).optional().build())
        .field("ts", SchemaBuilder.int64().name("io.debezium.time.MicroTimestamp").version(1).optional().build()).field("nanos", SchemaBuilder.int64().name("io.debezium.time.NanoTimestamp").version(1).build())
        .field("part", Schema.OPTIONAL_INT32_SCHEMA).field("rev", Schema.INT32_SCHEMA).field("tenant", SchemaBuilder.string().optional().defaultValue("main").build()).build();

    static Struct row() {
        return new Struct(box).put("id", "0a1b").put("aggregatetype", "Order").put("aggregateid", 42L).put("type", "OrderCreated").put("payload", "{\"a\":1}").put("ts", 1_600_000_000_123_456L)
            .put("nanos", 1_600_000_000_123_456_789L).put("part", 4).put("rev", 3);
    }

    static Struct outboxEvent(String op, Struct row) {
        return event(envelope("srv.public.outbox", box), op, op.equals("d") ? row : null, op.equals("d") ? null : row, false);
    }

    static void outbox(Struct row) {
        Struct event = outboxEvent("c", row);
        add("srv.public.outbox", key, new Struct(key).put("id", 1), event.schema(), event, null);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void run(String name, Object... entries) {
        Map<String, Object> config = Generate.map(entries);
        ObjectNode node = Generate.cases.addObject();
        node.put("type", name);
        ObjectNode written = node.putObject("config");
        config.forEach((setting, value) -> written.put(setting, (String) value));
        try {
            Transformation transform = (Transformation) Class.forName("io.debezium.transforms." + name).getDeclaredConstructor().newInstance();
            transform.configure(config);
            List<JsonNode> results = new ArrayList<>();
            for (ConnectRecord<?> record : Generate.records) results.add(resultOf(transform, record));
            ArrayNode packed = node.putArray("results");
            for (int i = 0; i < results.size(); ) {
                int end = i;
                while (end < results.size() && results.get(end).equals(results.get(i))) end++;
                if (end - i > 1) packed.addArray().add(end - i).add(results.get(i));
                else packed.add(results.get(i));
                i = end;
            }
            transform.close();
        } catch (Exception error) {
            node.put("configError", error.getClass().getSimpleName());
        }
    }

    /** As Generate's, of a copy: Debezium adds headers to the record that it is given. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    static JsonNode resultOf(Transformation transform, ConnectRecord<?> record) {
        ConnectRecord<?> copy = record.newRecord(record.topic(), record.kafkaPartition(), record.keySchema(), record.key(), record.valueSchema(), record.value(), record.timestamp(), record.headers().duplicate());
        ConnectRecord<?> made;
        try {
            made = (ConnectRecord<?>) transform.apply(copy);
        } catch (Exception error) {
            return Generate.json.textNode("!" + error.getClass().getSimpleName());
        }
        if (made == null) return Generate.json.textNode("-");
        ObjectNode before = Generate.recordOf(record);
        ObjectNode after = Generate.recordOf(made);
        ObjectNode difference = Generate.json.objectNode();
        after.fields().forEachRemaining(entry -> {
            if (!entry.getValue().equals(before.get(entry.getKey()))) difference.set(entry.getKey(), entry.getValue());
        });
        before.fieldNames().forEachRemaining(field -> {
            if (!after.has(field)) difference.putNull(field);
        });
        return difference.isEmpty() ? Generate.json.textNode("=") : difference;
    }

    static void makeCases() {
        String state = "ExtractNewRecordState";
        String mode = "delete.tombstone.handling.mode";
        run(state);
        for (String each : new String[] {"drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone", "none"}) {
            run(state, mode, each);
            run(state, mode, each, "add.fields", "op,table,source.lsn,ts_ms:when,transaction.id,total_order,snapshot,nowhere", "add.headers", "op,source.ts_ms:stamp,db,version", "add.headers.prefix", "h.", "replace.null.with.default", "false");
            run(state, mode, each, "route.by.field", "name", "add.fields", "op", "add.fields.prefix", "");
            run(state, mode, each, "drop.fields.header.name", "drop");
            run(state, mode, each, "drop.fields.header.name", "drop", "drop.fields.from.key", "true", "drop.fields.keep.schema.compatible", "false", "add.fields", "lsn");
        }
        run(state, "route.by.field", "id");
        run(state, "route.by.field", "nowhere");
        run(state, "add.fields", "a:b:c");
        run(state, "add.fields", "name", "add.fields.prefix", "");
        run(state, "add.fields", "nothing.x");
        for (String router : new String[] {"ByLogicalTableRouter", "ToLogicalTopicRouter"}) {
            run(router, "topic.regex", "(.*)_shard\\d", "topic.replacement", "$1");
            run(router, "topic.regex", "(.*)shard(.*)", "topic.replacement", "$1all-7", "key.field.name", "shard", "key.field.regex", ".*_(?<s>shard.*)", "key.field.replacement", "<${s}>", "schema.name.adjustment.mode", "avro");
            run(router, "topic.regex", "(.*)", "topic.replacement", "9all", "key.enforce.uniqueness", "false", "schema.name.adjustment.mode", "avro");
            run(router, "topic.regex", "(.*)", "topic.replacement", "all", "key.field.regex", "nothing", "key.field.replacement", "x");
            run(router, "topic.regex", "nothing", "topic.replacement", "all");
            run(router, "topic.regex", "(.*)", "topic.replacement", "all", "key.field.regex", "x");
            run(router, "topic.regex", "(", "topic.replacement", "all");
            run(router, "topic.regex", "x");
        }
        String outbox = "outbox.EventRouter";
        run(outbox);
        run(outbox, "table.expand.json.payload", "true");
        run(outbox, "table.expand.json.payload", "true", "table.json.payload.null.behavior", "optional_bytes", "table.json.payload.empty.array.behavior", "optional_string");
        run(outbox, "table.field.event.timestamp", "ts", "table.field.event.key", "type", "route.tombstone.on.empty.payload", "true");
        run(outbox, "table.field.event.timestamp", "nanos", "table.field.event.id", "rev");
        run(outbox, "table.field.event.timestamp", "rev");
        run(outbox, "table.fields.additional.placement", "type:header:kind,tenant:header,part:partition");
        run(outbox, "table.fields.additional.placement", "type:envelope,tenant:envelope:who,rev:header", "route.by.field", "type", "route.topic.regex", "Order(.*)", "route.topic.replacement", "o.$1");
        run(outbox, "table.fields.additional.placement", "type:envelope", "table.field.event.schema.version", "rev", "route.by.field", "type", "route.tombstone.on.empty.payload", "true");
        run(outbox, "table.fields.additional.placement", "no:header,rev:header");
        run(outbox, "table.fields.additional.placement", "no:header,rev:header,no:envelope", "table.field.additional.missing", "ignore", "route.by.field", "type");
        run(outbox, "table.fields.additional.placement", "type:partition");
        run(outbox, "table.fields.additional.placement", "type");
        run(outbox, "table.field.event.payload", "nowhere");
        run(outbox, "table.field.event.payload", "rev", "table.expand.json.payload", "true");
        run(outbox, "route.by.field", "rev");
        run(outbox, "table.op.invalid.behavior", "fatal");
        run(outbox, "table.op.invalid.behavior", "error");
        run(outbox, "route.topic.regex", "(", "route.topic.replacement", "x");
    }

    public static void main(String[] args) throws Exception {
        makeRecords();
        makeCases();
        ObjectNode all = Generate.json.objectNode();
        ArrayNode written = Generate.json.arrayNode();
        for (ConnectRecord<?> record : Generate.records) written.add(Generate.recordOf(record));
        all.set("records", written);
        all.set("cases", Generate.cases);
        all.set("schemas", Generate.schemas);
        all.set("parts", Generate.parts);
        Generate.write(Path.of(args[0]).resolve("debezium-transforms.json"), all);
    }
}
