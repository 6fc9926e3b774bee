import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Date;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Time;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/** What Kafka Connect's own transforms make of many records, what java.util.regex matches, what SimpleDateFormat reads and writes. See README.md. */
public class Generate {
    static final JsonNodeFactory json = JsonNodeFactory.instance;
    static final ArrayNode schemas = json.arrayNode();
    static final Map<String, Integer> schemaIndex = new LinkedHashMap<>();
    static final ArrayNode parts = json.arrayNode();
    static final Map<String, Integer> partIndex = new LinkedHashMap<>();
    static final List<ConnectRecord<?>> records = new ArrayList<>();
    static final ArrayNode cases = json.arrayNode();

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        makeRecords();
        makeCases();
        ObjectNode all = json.objectNode();
        ArrayNode written = json.arrayNode();
        for (ConnectRecord<?> record : records) written.add(recordOf(record));
        all.set("records", written);
        all.set("cases", cases);
        // Last, since the rest fills them.
        all.set("schemas", schemas);
        all.set("parts", parts);
        write(folder.resolve("transforms.json"), all);
        write(folder.resolve("regex.json"), regexes());
        write(folder.resolve("date-formats.json"), dateFormats());
    }

    /** Lines of a bearable length, so that a change can be seen. */
    static void write(Path path, JsonNode node) throws Exception {
        StringBuilder text = new StringBuilder("{");
        node.fields().forEachRemaining(entry -> {
            text.append(text.length() == 1 ? "\n" : ",\n").append('"').append(entry.getKey()).append("\":[");
            boolean first = true;
            for (JsonNode item : entry.getValue()) {
                text.append(first ? "\n" : ",\n").append(item);
                first = false;
            }
            text.append("\n]");
        });
        Files.writeString(path, text.append("\n}\n").toString());
    }

    // --- values and schemas as JSON

    static int schemaOf(Schema schema) {
        if (schema == null) return -1;
        ObjectNode node = json.objectNode();
        node.put("type", schema.type().getName());
        if (schema.isOptional()) node.put("optional", true);
        if (schema.name() != null) node.put("name", schema.name());
        if (schema.version() != null) node.put("version", schema.version());
        if (schema.doc() != null) node.put("doc", schema.doc());
        if (schema.parameters() != null) {
            ObjectNode parameters = node.putObject("parameters");
            schema.parameters().forEach(parameters::put);
        }
        if (schema.defaultValue() != null) node.set("default", valueOf(schema.defaultValue()));
        if (schema.type() == Schema.Type.STRUCT) {
            ArrayNode fields = node.putArray("fields");
            for (Field field : schema.fields()) fields.addArray().add(field.name()).add(schemaOf(field.schema()));
        }
        if (schema.type() == Schema.Type.MAP) node.put("keys", schemaOf(schema.keySchema()));
        if (schema.type() == Schema.Type.MAP || schema.type() == Schema.Type.ARRAY) node.put("values", schemaOf(schema.valueSchema()));
        Integer known = schemaIndex.putIfAbsent(node.toString(), schemas.size());
        if (known != null) return known;
        schemas.add(node);
        return schemas.size() - 1;
    }

    static JsonNode valueOf(Object value) {
        if (value == null) return json.nullNode();
        if (value instanceof Byte || value instanceof Short || value instanceof Integer || value instanceof Long) return json.numberNode(((Number) value).longValue());
        if (value instanceof Float || value instanceof Double) {
            double number = ((Number) value).doubleValue();
            if (Double.isFinite(number)) return json.numberNode(number);
            return json.objectNode().put("$", "float").put("text", Double.toString(number));
        }
        if (value instanceof String) return json.textNode((String) value);
        if (value instanceof Boolean) return json.booleanNode((Boolean) value);
        if (value instanceof byte[]) return json.objectNode().put("$", "bytes").put("base64", Base64.getEncoder().encodeToString((byte[]) value));
        if (value instanceof ByteBuffer) return valueOf(((ByteBuffer) value).array());
        if (value instanceof BigDecimal) return json.objectNode().put("$", "decimal").put("unscaled", ((BigDecimal) value).unscaledValue().toString()).put("scale", ((BigDecimal) value).scale());
        if (value instanceof java.util.Date) return json.objectNode().put("$", "date").put("ms", ((java.util.Date) value).getTime());
        if (value instanceof List) {
            ArrayNode items = json.arrayNode();
            for (Object item : (List<?>) value) items.add(valueOf(item));
            return items;
        }
        if (value instanceof Map) {
            ObjectNode node = json.objectNode().put("$", "map");
            ArrayNode entries = node.putArray("entries");
            ((Map<?, ?>) value).forEach((key, item) -> entries.addArray().add(valueOf(key)).add(valueOf(item)));
            return node;
        }
        if (value instanceof Struct) {
            Struct struct = (Struct) value;
            ObjectNode node = json.objectNode().put("$", "struct");
            ArrayNode fields = node.putArray("fields");
            for (Field field : struct.schema().fields()) {
                Object item = struct.getWithoutDefault(field.name());
                if (item != null) fields.addArray().add(field.name()).add(valueOf(item));
            }
            return node;
        }
        throw new IllegalArgumentException(value.getClass().getName());
    }

    static int partOf(Schema schema, Object value) {
        ArrayNode node = json.arrayNode().add(schemaOf(schema)).add(valueOf(value));
        Integer known = partIndex.putIfAbsent(node.toString(), parts.size());
        if (known != null) return known;
        parts.add(node);
        return parts.size() - 1;
    }

    static ArrayNode headersOf(ConnectRecord<?> record) {
        ArrayNode node = json.arrayNode();
        for (Header header : record.headers()) node.addArray().add(header.key()).add(partOf(header.schema(), header.value()));
        return node;
    }

    static ObjectNode recordOf(ConnectRecord<?> record) {
        ObjectNode node = json.objectNode();
        node.put("topic", record.topic());
        if (record.kafkaPartition() != null) node.put("partition", record.kafkaPartition());
        if (record instanceof SinkRecord) node.put("offset", ((SinkRecord) record).kafkaOffset());
        if (record.timestamp() != null) node.put("timestamp", record.timestamp());
        node.put("key", partOf(record.keySchema(), record.key()));
        node.put("value", partOf(record.valueSchema(), record.value()));
        node.set("headers", headersOf(record));
        return node;
    }

    // --- records

    static void sink(Schema keySchema, Object key, Schema schema, Object value) {
        ConnectHeaders headers = new ConnectHeaders();
        headers.addString("trace", "abc");
        headers.addInt("count", 3);
        headers.addString("trace", "def");
        headers.add("none", null, null);
        records.add(new SinkRecord("orders.eu", 3, keySchema, key, schema, value, 4711, 1_700_000_000_123L, TimestampType.CREATE_TIME, headers));
    }

    static void sink(Schema schema, Object value) {
        sink(schema, value, schema, value);
    }

    static void source(Schema schema, Object value) {
        records.add(new SourceRecord(Map.of(), Map.of(), "t", null, schema, value, schema, value));
    }

    static SchemaBuilder[] types(boolean optional) {
        SchemaBuilder[] all = {
            SchemaBuilder.int8(), SchemaBuilder.int16(), SchemaBuilder.int32(), SchemaBuilder.int64(), SchemaBuilder.float32(), SchemaBuilder.float64(),
            SchemaBuilder.bool(), SchemaBuilder.string(), SchemaBuilder.bytes(), Decimal.builder(2), Date.builder(), Time.builder(), Timestamp.builder(),
            SchemaBuilder.string().name("org.acme.Colour").version(2).doc("a colour").parameter("allowed", "red,blue"),
            SchemaBuilder.int64().name("io.debezium.time.MicroTimestamp").version(1),
        };
        if (optional) for (SchemaBuilder each : all) each.optional();
        return all;
    }

    static final String[] typeNames = {"int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "bytes", "decimal", "date", "time", "timestamp", "colour", "micro"};
    static final Object[] samples = {
        (byte) -7, (short) 300, 70_000, 9_007_199_254_740_993L, 1.5f, -2.25, true, "12", new byte[] {1, 2, (byte) 0xff}, new BigDecimal("123.45"),
        new java.util.Date(19_000 * 86_400_000L), new java.util.Date(45_296_789), new java.util.Date(1_700_000_000_123L), "red", 1_700_000_000_123_456L,
    };

    static Schema flat(String name, boolean optional, boolean defaults) {
        SchemaBuilder builder = SchemaBuilder.struct().name(name).version(7).doc("all types").parameter("origin", "test").parameter("a", "b");
        SchemaBuilder[] all = types(optional);
        for (int i = 0; i < all.length; i++) {
            if (defaults) all[i].defaultValue(samples[i]);
            builder.field(typeNames[i], all[i].build());
        }
        return builder.build();
    }

    static Struct filled(Schema schema, Object[] values) {
        Struct struct = new Struct(schema);
        for (int i = 0; i < typeNames.length; i++) if (values[i] != null) struct.put(typeNames[i], values[i]);
        return struct;
    }

    static Map<String, Object> map(Object... entries) {
        Map<String, Object> made = new LinkedHashMap<>();
        for (int i = 0; i < entries.length; i += 2) made.put((String) entries[i], entries[i + 1]);
        return made;
    }

    static void makeRecords() {
        Schema keySchema = SchemaBuilder.struct().name("Key").field("id", Schema.INT64_SCHEMA).field("name", Schema.OPTIONAL_STRING_SCHEMA).build();
        Struct key = new Struct(keySchema).put("id", 5L).put("name", "five");
        Schema required = flat("All", false, false);
        Schema optional = flat("AllOptional", true, false);
        Schema defaults = flat("Defaults", false, true);
        Schema optionalDefaults = flat("OptionalDefaults", true, true);
        Object[] nothing = new Object[typeNames.length];
        sink(keySchema, key, required, filled(required, samples));
        sink(keySchema, key, optional, filled(optional, samples));
        sink(keySchema, key, optional, filled(optional, nothing));
        sink(keySchema, key, defaults, filled(defaults, nothing));
        sink(keySchema, key, optionalDefaults, filled(optionalDefaults, nothing));
        // A struct that its maker left incomplete.
        sink(keySchema, key, required, filled(required, nothing));
        source(required, filled(required, samples));

        Schema deep = SchemaBuilder.struct().field("x", Schema.FLOAT64_SCHEMA).field("list", SchemaBuilder.array(Schema.STRING_SCHEMA).build()).build();
        Schema inner = SchemaBuilder.struct().name("Inner").optional().field("a", Schema.INT32_SCHEMA).field("b", Schema.OPTIONAL_STRING_SCHEMA)
            .field("c", SchemaBuilder.string().defaultValue("see").build()).field("deep", deep).build();
        Schema nested = SchemaBuilder.struct().name("Nested").field("id", Schema.INT64_SCHEMA).field("inner", inner).field("a.b", Schema.OPTIONAL_STRING_SCHEMA)
            .field("tags", SchemaBuilder.array(Schema.INT32_SCHEMA).optional().doc("tags").build()).build();
        Struct deepValue = new Struct(deep).put("x", 1.25).put("list", List.of("p", "q"));
        Struct innerValue = new Struct(inner).put("a", 1).put("b", "bee").put("deep", deepValue);
        sink(nested, new Struct(nested).put("id", 1L).put("inner", innerValue).put("a.b", "dotted").put("tags", List.of(1, 2)));
        sink(nested, new Struct(nested).put("id", 2L).put("tags", List.of()));
        source(nested, new Struct(nested).put("id", 3L).put("inner", new Struct(inner).put("a", 2).put("deep", deepValue)));

        // A nested struct with a default of its own, in an optional struct with one.
        SchemaBuilder point = SchemaBuilder.struct().name("Point").field("x", Schema.INT32_SCHEMA).field("y", SchemaBuilder.int32().defaultValue(9).build());
        Struct pointDefault = new Struct(point).put("x", 4);
        Schema pointSchema = point.defaultValue(pointDefault).build();
        Schema withPoint = SchemaBuilder.struct().field("p", pointSchema).field("z", Schema.OPTIONAL_INT32_SCHEMA).build();
        sink(withPoint, new Struct(withPoint).put("z", 1));
        Schema plainPoint = SchemaBuilder.struct().name("Point").field("x", Schema.INT32_SCHEMA).field("y", SchemaBuilder.int32().defaultValue(9).build()).build();
        Schema lineBase = SchemaBuilder.struct().name("Line").field("from", plainPoint).field("at", Schema.INT64_SCHEMA).build();
        SchemaBuilder line = SchemaBuilder.struct().name("Line").optional().field("from", plainPoint).field("at", Schema.INT64_SCHEMA);
        line.defaultValue(new Struct(line).put("from", new Struct(plainPoint).put("x", 1)).put("at", 77L));
        Schema lineSchema = line.build();
        sink(lineSchema, new Struct(lineSchema).put("from", new Struct(plainPoint).put("x", 2).put("y", 3)).put("at", 5L));
        sink(lineSchema, null);
        sink(lineBase, new Struct(lineBase).put("from", new Struct(plainPoint).put("x", 2)).put("at", 6L));

        // Names that are awkward in JavaScript, and names that come together when they are joined.
        Schema awkward = SchemaBuilder.struct().field("__proto__", Schema.STRING_SCHEMA).field("constructor", Schema.OPTIONAL_STRING_SCHEMA)
            .field("toString", SchemaBuilder.struct().field("__proto__", Schema.INT32_SCHEMA).build()).build();
        sink(awkward, new Struct(awkward).put("__proto__", "p").put("toString", new Struct(awkward.field("toString").schema()).put("__proto__", 1)));
        Schema colliding = SchemaBuilder.struct().field("a.b", Schema.INT32_SCHEMA).field("a", SchemaBuilder.struct().field("b", Schema.INT32_SCHEMA).build()).build();
        sink(colliding, new Struct(colliding).put("a.b", 1).put("a", new Struct(colliding.field("a").schema()).put("b", 2)));
        Schema maps = SchemaBuilder.struct().field("m", SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.INT32_SCHEMA).build()).field("id", Schema.INT32_SCHEMA).build();
        sink(maps, new Struct(maps).put("m", Map.of("k", 1)).put("id", 1));

        sink(null, map("id", 12L, "name", "x", "string", "12", "int64", 9_007_199_254_740_993L, "float64", 2.5, "boolean", true, "null", null,
            "list", List.of(1L, "a"), "inner", map("a", 1L, "b", null, "deep", map("x", 1.5, "list", List.of())), "a.b", "dotted", "bytes", new byte[] {1, 2}));
        source(null, map("id", 1L, "at", "2024-02-29 12:34:56", "inner", null));
        sink(null, map("__proto__", "p", "constructor", map("__proto__", 2L), "empty", map()));
        sink(null, map());
        sink(null, null);
        source(null, null);
        sink(Schema.OPTIONAL_STRING_SCHEMA, null);
        sink(Schema.STRING_SCHEMA, null);
        sink(nested, null);

        for (int i = 0; i < samples.length; i++) sink(types(false)[i].build(), samples[i]);
        sink(SchemaBuilder.string().optional().name("Text").version(1).doc("d").parameter("p", "q").defaultValue("17").build(), "18");
        sink(SchemaBuilder.array(Schema.INT32_SCHEMA).name("Ints").build(), List.of(1, 2));
        sink(SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.INT32_SCHEMA).build(), Map.of("a", 1));
        for (Object value : new Object[] {"text", 42L, 2.5, false, List.of(1L), new byte[] {9}, 9_007_199_254_740_993L, ""}) sink(null, value);
        for (String text : new String[] {
            "127", "128", "-128", "-129", "+7", "-0", "32768", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993",
            " 42 ", "1.5", ".5", "5.", "1e3", "1e400", "-1E-3f", "2d", "NaN", "-Infinity", "Infinity", "TRUE", "true ", "", "abc", "0.1", "1_000", "--1", "+",
        }) source(Schema.STRING_SCHEMA, text);
        for (double value : new double[] {0.0, -0.0, 0.5, -0.5, 127.9, 128.0, -129.5, 65536.0, 3e9, -3e9, 9.3e18, -9.3e18, 1e-5, 1e21, 123456789.0, 0.1, Double.NaN, Double.POSITIVE_INFINITY, Double.MIN_VALUE, 1e300}) {
            source(Schema.FLOAT64_SCHEMA, value);
        }
        for (float value : new float[] {0.1f, 3.4e38f, 16777216f, -1.5e-7f, Float.NaN}) source(Schema.FLOAT32_SCHEMA, value);
        for (long value : new long[] {0, -1, 255, 256, 65_535, 4_294_967_295L, Long.MAX_VALUE, Long.MIN_VALUE, 9_007_199_254_740_992L, -9_007_199_254_740_993L}) source(Schema.INT64_SCHEMA, value);
        for (String text : new String[] {"0", "0.99", "-1.99", "300.5", "12345678901234567890.12", "1E+3", "1E-10"}) {
            BigDecimal decimal = new BigDecimal(text);
            source(Decimal.schema(decimal.scale()), decimal);
        }
        for (long ms : new long[] {0, -1, 86_399_999, 86_400_000, 86_400_001, 1_700_000_000_123L, -62_135_596_800_000L, 253_402_300_800_000L, 951_782_400_000L, -12_219_292_800_001L}) {
            source(Timestamp.SCHEMA, new java.util.Date(ms));
        }
        source(Date.SCHEMA, new java.util.Date(-86_400_000L));
        source(Date.SCHEMA, new java.util.Date(0));
        source(Time.SCHEMA, new java.util.Date(86_399_999L));
        for (String text : new String[] {"2024-02-29 12:34:56", "2024-13-45 25:61:61", "2024-2-9 1:2:3 and more", "24-02-29 00:00:00", "2024-02-29T12:34:56", "2024-02-29", "0001-01-01 00:00:00"}) {
            source(SchemaBuilder.string().optional().build(), text);
        }
        Schema times = SchemaBuilder.struct().name("Times").optional().field("text", Schema.STRING_SCHEMA).field("at", SchemaBuilder.int64().optional().defaultValue(1_700_000_000_123L).build())
            .field("ts", Timestamp.builder().optional().build()).field("day", Date.SCHEMA).field("tod", Time.SCHEMA).field("note", SchemaBuilder.string().optional().defaultValue("none").build()).build();
        sink(times, new Struct(times).put("text", "2024-02-29 12:34:56").put("at", 1_600_000_000_999L).put("ts", new java.util.Date(1_600_000_000_999L)).put("day", new java.util.Date(86_400_000L * 365)).put("tod", new java.util.Date(1000)));
        sink(times, new Struct(times).put("text", "no time").put("day", new java.util.Date(0)).put("tod", new java.util.Date(0)));
        SchemaBuilder timed = SchemaBuilder.struct().field("ts", Timestamp.SCHEMA);
        timed.defaultValue(new Struct(timed).put("ts", new java.util.Date(5)));
        Schema timedSchema = timed.build();
        sink(timedSchema, new Struct(timedSchema).put("ts", new java.util.Date(1_700_000_000_123L)));
        records.add(new SinkRecord("plain", 0, null, null, null, map("id", 1L), 0));
    }

    // --- cases

    static void both(String name, Object... config) {
        run(name + "$Value", config);
        run(name + "$Key", config);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void run(String name, Object... entries) {
        Map<String, Object> config = map(entries);
        ObjectNode node = cases.addObject();
        node.put("type", name);
        ObjectNode written = node.putObject("config");
        config.forEach((setting, value) -> written.put(setting, (String) value));
        ArrayNode results = json.arrayNode();
        try {
            if (name.startsWith("predicates.")) {
                try (Predicate predicate = make(name)) {
                    predicate.configure(config);
                    for (ConnectRecord<?> record : records) results.add(predicate.test(record));
                }
            } else {
                try (Transformation transform = make(name)) {
                    List<ConfigValue> checked = transform.config().validate((Map) config);
                    for (ConfigValue value : checked) {
                        if (!value.errorMessages().isEmpty()) throw new ConfigException(value.errorMessages().toString());
                    }
                    transform.configure(config);
                    for (ConnectRecord<?> record : records) results.add(resultOf(transform, record));
                }
            }
            // Most transforms leave most of the records' many kinds alone or refuse them: runs of the same are written once.
            ArrayNode packed = node.putArray("results");
            for (int i = 0; i < results.size(); ) {
                int end = i;
                while (end < results.size() && results.get(end).equals(results.get(i))) end++;
                if (end - i > 1) packed.addArray().add(end - i).add(results.get(i));
                else packed.add(results.get(i));
                i = end;
            }
        } catch (Exception error) {
            node.put("configError", error.getClass().getSimpleName() + ": " + String.valueOf(error.getMessage()).replaceAll("@[0-9a-f]+", ""));
        }
    }

    @SuppressWarnings("unchecked")
    static <T> T make(String name) throws Exception {
        return (T) Class.forName("org.apache.kafka.connect.transforms." + name).getDeclaredConstructor().newInstance();
    }

    /** "=": the same; "-": dropped; "!" and a class: thrown; else the parts that differ. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    static JsonNode resultOf(Transformation transform, ConnectRecord<?> record) {
        ConnectRecord<?> made;
        try {
            made = (ConnectRecord<?>) transform.apply(record);
        } catch (Exception error) {
            return json.textNode("!" + error.getClass().getSimpleName());
        }
        if (made == null) return json.textNode("-");
        ObjectNode before = recordOf(record);
        ObjectNode after = recordOf(made);
        ObjectNode difference = json.objectNode();
        after.fields().forEachRemaining(entry -> {
            if (!entry.getValue().equals(before.get(entry.getKey()))) difference.set(entry.getKey(), entry.getValue());
        });
        return difference.isEmpty() ? json.textNode("=") : difference;
    }

    static void makeCases() {
        String fields = "int8:T,int16:T,int32:T,int64:T,float32:T,float64:T,boolean:T,string:T";
        for (String type : new String[] {"int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"}) {
            run("Cast$Value", "spec", type);
            run("Cast$Value", "spec", fields.replace("T", type));
            run("Cast$Value", "spec", "decimal:T,date:T,time:T,timestamp:T,micro:T".replace("T", type));
        }
        both("Cast", "spec", "id:string,name:string,x:int8");
        run("Cast$Key", "spec", "string");
        run("Cast$Value", "spec", "bytes:string,colour:string,at:string,ts:string,day:string,tod:int64");
        run("Cast$Value", "spec", fields.replace("T", "string"), "replace.null.with.default", "false");
        run("Cast$Value", "spec", "tags:string");
        run("Cast$Value", "spec", "inner:string");
        run("Cast$Value", "spec", "__proto__:string,constructor:string");
        run("Cast$Value", "spec", " id : STRING ");
        for (String spec : new String[] {"", "bytes", "id:", "id:bytes", "id:nothing", "string,id:int8", "a:b:c", "struct", ":int8"}) run("Cast$Value", "spec", spec);
        run("Cast$Value");

        run("DropHeaders", "headers", "trace");
        run("DropHeaders", "headers", "trace, count,none,other");
        run("DropHeaders", "headers", "other");
        run("DropHeaders", "headers", "");
        run("DropHeaders", "headers", "a,a");

        for (String field : new String[] {"id", "inner", "int64", "tags", "a.b", "no", "__proto__", "constructor", "text"}) run("ExtractField$Value", "field", field);
        for (String field : new String[] {"inner.a", "inner.c", "inner.deep.x", "`a.b`", "id.x", "toString.__proto__", "p.y", "p.x", "from.y", "inner.no", "inner.deep.list.x", "id.", "inner.b"}) {
            run("ExtractField$Value", "field", field, "field.syntax.version", "V2");
            run("ExtractField$Value", "field", field, "field.syntax.version", "v2", "replace.null.with.default", "false");
        }
        run("ExtractField$Value", "field", "note", "replace.null.with.default", "false");
        run("ExtractField$Value", "field", "note");
        run("ExtractField$Value", "field", "`a.b", "field.syntax.version", "V2");
        run("ExtractField$Value", "field", "`a\\`", "field.syntax.version", "V2");
        run("ExtractField$Value", "field", "id", "field.syntax.version", "V3");
        run("ExtractField$Key", "field", "id");
        run("ExtractField$Value");

        run("Filter");
        both("Flatten");
        run("Flatten$Value", "delimiter", "_");
        run("Flatten$Value", "delimiter", "");

        for (String operation : new String[] {"move", "copy"}) {
            both("HeaderFrom", "fields", "id", "headers", "h", "operation", operation);
            run("HeaderFrom$Value", "fields", "inner,id", "headers", "trace,trace", "operation", operation);
            run("HeaderFrom$Value", "fields", "int64,timestamp,decimal", "headers", "a,b,c", "operation", operation);
            run("HeaderFrom$Value", "fields", "note,at", "headers", "a,b", "operation", operation, "replace.null.with.default", "false");
            run("HeaderFrom$Value", "fields", "note,at", "headers", "a,b", "operation", operation);
            run("HeaderFrom$Value", "fields", "__proto__,constructor", "headers", "a,__proto__", "operation", operation);
        }
        run("HeaderFrom$Value", "fields", "a,b", "headers", "h", "operation", "move");
        run("HeaderFrom$Value", "fields", "a", "headers", "h", "operation", "delete");
        run("HeaderFrom$Value", "fields", "", "headers", "", "operation", "move");

        both("HoistField", "field", "wrapped");
        run("HoistField$Value", "field", "__proto__");
        run("HoistField$Value");

        both("InsertField", "topic.field", "topic!", "partition.field", "part", "timestamp.field", "when?", "static.field", "fixed!", "static.value", "value");
        run("InsertField$Value", "offset.field", "offset");
        run("InsertField$Value", "offset.field", "offset!", "partition.field", "p!", "timestamp.field", "ts!");
        run("InsertField$Value", "static.field", "id", "static.value", "v");
        run("InsertField$Value", "static.field", "__proto__", "static.value", "v");
        run("InsertField$Value", "topic.field", "t", "replace.null.with.default", "false");
        run("InsertField$Value", "static.field", "x");
        run("InsertField$Value");

        for (String literal : new String[] {
            "text", "12", "300", "70000", "9007199254740993", "true", "null", "1.5", "1e3", "2024-02-29", "12:34:56.789Z", "2024-02-29T12:34:56.789Z", "[1,2]", "[1,\"a\"]", "{\"a\":1}", "a b", "\"quoted\"", "1:2",
            "3.14159265358979", "12345678901234567890", "-5", "0x10", "[]", "{}",
        }) run("InsertHeader", "header", "h", "value.literal", literal);
        run("InsertHeader", "header", "h");

        String masked = "int8,int16,int32,int64,float32,float64,boolean,string,decimal,date,time,timestamp,colour,micro,tags,list,null,id,no";
        both("MaskField", "fields", masked);
        both("MaskField", "fields", "id", "replacement", "7");
        run("MaskField$Value", "fields", "int8,int16,int32,int64,float32,float64,string,decimal,micro", "replacement", "300");
        run("MaskField$Value", "fields", "int8,int16,int32,int64,float32,float64,string,decimal", "replacement", "-1.75");
        run("MaskField$Value", "fields", "int64,decimal,float32,float64", "replacement", "1e2");
        run("MaskField$Value", "fields", "string,name,colour", "replacement", "***");
        run("MaskField$Value", "fields", "int64,id", "replacement", "***");
        for (String name : new String[] {"boolean", "date", "timestamp", "bytes", "tags", "inner", "list", "m"}) {
            run("MaskField$Value", "fields", name, "replacement", "1");
            run("MaskField$Value", "fields", name);
        }
        run("MaskField$Value", "fields", "int8,note", "replace.null.with.default", "false");
        run("MaskField$Value", "fields", "__proto__");
        run("MaskField$Value", "fields", "");
        run("MaskField$Value", "fields", "a", "replacement", "");

        run("RegexRouter", "regex", "orders\\.(.*)", "replacement", "$1-orders");
        run("RegexRouter", "regex", "(?<all>.*)", "replacement", "x_${all}\\$");
        run("RegexRouter", "regex", "o|orders.*", "replacement", "X");
        run("RegexRouter", "regex", "nothing", "replacement", "X");
        run("RegexRouter", "regex", "(", "replacement", "X");

        both("ReplaceField", "exclude", "id,int8,string,__proto__");
        run("ReplaceField$Value", "include", "id,int64,timestamp,inner,note");
        run("ReplaceField$Value", "include", "id,int64", "exclude", "id");
        run("ReplaceField$Value", "renames", "id:key,int64:long,inner:outer,note:remark");
        run("ReplaceField$Value", "renames", "id:__proto__,__proto__:id");
        run("ReplaceField$Value", "renames", "int8:int16");
        run("ReplaceField$Value", "renames", "int8:int16", "exclude", "int16");
        run("ReplaceField$Value", "renames", "nope:id");
        run("ReplaceField$Value", "exclude", "nothing", "replace.null.with.default", "false");
        run("ReplaceField$Value", "exclude", "nothing");
        run("ReplaceField$Value");
        for (String renames : new String[] {"a", "a:b:c", "a:", ":b"}) run("ReplaceField$Value", "renames", renames);
        run("ReplaceField$Value", "exclude", "a,a");

        both("SetSchemaMetadata", "schema.name", "New", "schema.version", "42");
        run("SetSchemaMetadata$Value", "schema.name", "OnlyName", "replace.null.with.default", "false");
        run("SetSchemaMetadata$Value", "schema.version", "-1");
        run("SetSchemaMetadata$Value", "schema.version", "x");
        run("SetSchemaMetadata$Value");

        for (String target : new String[] {"string", "unix", "Date", "Time", "Timestamp"}) {
            both("TimestampConverter", "target.type", target, "format", "yyyy-MM-dd HH:mm:ss");
            for (String field : new String[] {"text", "at", "ts", "day", "tod", "note", "id"}) {
                run("TimestampConverter$Value", "target.type", target, "format", "yyyy-MM-dd HH:mm:ss", "field", field);
            }
            for (String precision : new String[] {"seconds", "microseconds", "nanoseconds"}) {
                run("TimestampConverter$Value", "target.type", target, "format", "yyyy-MM-dd HH:mm:ss.SSS", "unix.precision", precision);
            }
            run("TimestampConverter$Value", "target.type", target, "format", "yyyy", "field", "at", "replace.null.with.default", "false");
            run("TimestampConverter$Value", "target.type", target, "field", "timestamp", "format", "yyyyMMdd'T'HHmmssX");
        }
        run("TimestampConverter$Value", "target.type", "unix");
        run("TimestampConverter$Value", "target.type", "string");
        run("TimestampConverter$Value", "target.type", "string", "format", "bogus");
        run("TimestampConverter$Value", "target.type", "date");
        run("TimestampConverter$Value", "target.type", "unix", "unix.precision", "hours");
        run("TimestampConverter$Value");

        run("TimestampRouter");
        run("TimestampRouter", "topic.format", "${timestamp}/$1/${topic}/${topic}", "timestamp.format", "yyyy.MM.dd HH");

        run("ValueToKey", "fields", "id");
        run("ValueToKey", "fields", "int64,timestamp,decimal");
        run("ValueToKey", "fields", "id,inner,nothing");
        run("ValueToKey", "fields", "note,at", "replace.null.with.default", "false");
        run("ValueToKey", "fields", "note,at");
        run("ValueToKey", "fields", "__proto__,constructor");
        run("ValueToKey", "fields", "");
        run("ValueToKey", "fields", "a,a");

        run("predicates.HasHeaderKey", "name", "trace");
        run("predicates.HasHeaderKey", "name", "other");
        run("predicates.HasHeaderKey", "name", "");
        run("predicates.RecordIsTombstone");
        run("predicates.TopicNameMatches", "pattern", "orders\\..*");
        run("predicates.TopicNameMatches", "pattern", "orders");
        run("predicates.TopicNameMatches", "pattern", "[");
    }

    // --- regular expressions

    static JsonNode regexes() {
        String[] texts = {
            "", "a", "b", "ab", "aab", "abc", "ABC", "aBc", "aaa", "aaaa", "abab", "orders", "orders.eu", "orders.eu.v2", "db.public.users", "mysql-01.Inventory.customers", "x-y_z", "a.b", "a+b", "a$b",
            "{}", "]", "-", "^", "a\nb", "a\r\nb", "a\n", "a\r\n", "\u0085", "a\u2028", "\t", " ", "a b", "\u00e9", "\u00c9", "\u0130", "\u00df", "\u017f", "k\u212a", "1", "12", "2024-01-31", "\u0663", "\ud83d\ude00", "_", "\\", "&&",
            "dev_orders_1", "__consumer_offsets", "foo:bar", "#", "a#b", "topic12345", "aAbB",
        };
        String[][] patterns = {
            {"a*", "x"}, {"(a+)(b?)", "$2$1"}, {"a|ab", "<$0>"}, {"(a)|b", "[$1]"}, {"orders\\.(\\w+)(?:\\.v(\\d+))?", "$1-$2"}, {"(.*)\\.(.*)\\.(.*)", "$3.$12"}, {"(?<db>[^.]+)\\.(?<table>.+)", "${table}_${db}"},
            {"([^.]+)\\.([^.]+)\\.([^.]+)", "$3"}, {"a++b", "x"}, {"a++a", "x"}, {"a*+ab", "x"}, {"(?>a+)b", "x"}, {"(?>a|ab)c", "x"}, {"(a{2}+)a*", "$1"}, {"a{2,3}?", "x"}, {"a{2,}", "x"}, {"a{0}", "x"},
            {"(?i)abc", "x"}, {"a(?i)b|c", "x"}, {"a(?i:b)c", "x"}, {"(?i)[a-b]+c", "x"}, {"(?i)[^a]", "x"}, {"(?i)\u00e9", "x"}, {"(?i)k+", "x"}, {"(?i)s", "x"}, {"((?i)a)bC", "x"}, {"(?-i)a(?i)B(?-i)c", "x"}, {"(?i)\\x41", "x"},
            {".", "x"}, {".*", "x"}, {"(?s).*", "x"}, {"(?s:.)+", "x"}, {"a.b", "x"}, {"^a$", "x"}, {"a$", "x"}, {"a$.*", "x"}, {"(?m)^b", "x"}, {"(?m)a$", "x"}, {"(?m)a$(?s).*", "x"}, {"(?m)^", "x"}, {"\\Aa", "x"}, {"a\\Z(?s).*", "x"}, {"a\\z", "x"}, {"\\ba\\b.*", "x"}, {"a\\B.*", "x"},
            {"\\d+", "x"}, {"\\D+", "x"}, {"\\w+", "x"}, {"\\W+", "x"}, {"\\s+", "x"}, {"\\S+", "x"}, {"\\h", "x"}, {"\\H", "x"}, {"\\v", "x"}, {"\\V", "x"}, {"a\\Rb", "x"}, {"\\R", "x"},
            {"[a-c]+", "x"}, {"[^a-c]+", "x"}, {"[]a]+", "x"}, {"[a\\]]+", "x"}, {"[a-]+", "x"}, {"[-a]+", "x"}, {"[a^]+", "x"}, {"[\\w.-]+", "x"}, {"[a-z&&[^b]]+", "x"}, {"[a-z&&[abc]]+", "x"}, {"[a-d[m-z]]+", "x"}, {"[^a-z&&[abc]]+", "x"}, {"[a-z&&a-b]+", "x"}, {"[a&&b]", "x"}, {"[&a]+", "x"},
            {"[\\d\\-:]+", "x"}, {"[\\Qa.b\\E]+", "x"}, {"[\\p{Alpha}_]+", "x"}, {"[^\\p{Alpha}]+", "x"}, {"[\\s\\S]*", "x"}, {"[.]", "x"}, {"[$+{}()|]+", "x"}, {"[\\x61-\\u0062]+", "x"}, {"[/a]", "x"}, {"[a-z-9]+", "x"},
            {"\\p{Lower}+", "x"}, {"\\p{Upper}+", "x"}, {"\\p{ASCII}+", "x"}, {"\\p{Alpha}+", "x"}, {"\\p{Digit}+", "x"}, {"\\p{Alnum}+", "x"}, {"\\p{Punct}+", "x"}, {"\\p{Graph}+", "x"}, {"\\p{Print}+", "x"}, {"\\p{Blank}+", "x"}, {"\\p{Cntrl}+", "x"}, {"\\p{XDigit}+", "x"}, {"\\p{Space}+", "x"}, {"\\P{Alpha}+", "x"},
            {"\\p{L}+", "x"}, {"\\pL+", "x"}, {"\\p{Lu}", "x"}, {"\\p{IsL}+", "x"}, {"\\p{IsAlphabetic}+", "x"}, {"\\p{IsLatin}+", "x"}, {"\\p{IsUppercase}", "x"}, {"\\p{IsDigit}+", "x"}, {"\\p{gc=Nd}+", "x"}, {"\\p{script=Latin}+", "x"}, {"\\p{sc=Latin}+", "x"}, {"\\p{IsWhite_Space}+", "x"}, {"\\p{IsPunctuation}+", "x"}, {"\\p{general_category=Lu}", "x"},
            {"\\Qa+b\\E", "x"}, {"\\Qa.b", "x"}, {"\\Qab\\E+", "x"}, {"\\Q\\E", "x"}, {"a\\.b", "x"}, {"a\\+b", "x"}, {"\\x61", "x"}, {"\\x{1F600}", "x"}, {"\\u00e9", "x"}, {"\\0141", "x"}, {"\\t", "x"}, {"\\cI", "x"}, {"\\e|\\a|\\f", "x"}, {"\\-", "x"}, {"\\_", "x"}, {"]", "x"}, {"}", "x"}, {"a\\{", "x"}, {"\\/", "x"},
            {"(a)\\1", "$1"}, {"(?<x>ab)\\k<x>", "${x}"}, {"(a)(b)\\2?\\1?", "$2"}, {"(a)\\11", "x"}, {"(?=a)a.*", "x"}, {"(?!a).*", "x"}, {".*(?<=b)", "x"}, {".*(?<!b)", "x"}, {"(?:a|b)+", "x"}, {"(a|b)*", "$1"}, {"((a)|(b))+", "$1$2$3"}, {"()a", "x"}, {"|a", "x"}, {"a|", "x"},
            {"(?i)\\p{Lu}+", "x"}, {"(?i)[\\p{Upper}1]+", "x"}, {"(?i)\\p{IsLowercase}+", "x"}, {"(?:|a)?b?", "x"},
            {"(?x) a b # comment\n c", "x"}, {"(?x)a\\ b", "x"}, {"(?x)a [b] {1} c", "x"}, {"(?is)A.B", "x"}, {"(?i-s:A)b", "x"},
            {"a", "\\$"}, {"a", "\\\\"}, {"(a)", "$1$1"}, {"a", "\\q"}, {"(a)", "${1}"}, {"a", "$"}, {"a", "$x"}, {"a", "$1"}, {"a", "\\"}, {"a", "${n}"}, {"(?<n>a)", "${n"}, {"(a)(b)?", "$2!"},
            {"(", "x"}, {")", "x"}, {"[", "x"}, {"[]", "x"}, {"a**", "x"}, {"*a", "x"}, {"+", "x"}, {"?", "x"}, {"{", "x"}, {"{1}", "x"}, {"a{", "x"}, {"a{2,1}", "x"}, {"a{x}", "x"}, {"[b-a]", "x"}, {"\\", "x"}, {"\\y", "x"}, {"(?<1a>x)", "x"}, {"(?z)", "x"}, {"\\p{Nope}", "x"}, {"(?<a>x)(?<a>y)", "x"}, {"\\k<q>", "x"}, {"[a&&]", "x"}, {"(?", "x"},
            {"^(?!__).*", "x"}, {"^[a-zA-Z0-9._-]+$", "x"}, {"(dev|prod)_(.*)_(\\d)", "$2-$3"}, {"topic(\\d{1,3})(\\d*)", "$2.$1"}, {"(.+?)(\\d+)?", "$1|$2"}, {"[^:]*:(.*)", "$1"},
            {"\\G.", "x"}, {"\\X", "x"}, {"(?u)a", "x"}, {"(?U)\\w", "x"}, {"(?d).", "x"}, {"\\p{InGreek}", "x"}, {"\\p{javaLowerCase}", "x"}, {"\\b{g}", "x"}, {"\\N{LATIN SMALL LETTER A}", "x"},
        };
        ObjectNode all = json.objectNode();
        ArrayNode written = all.putArray("texts");
        for (String text : texts) written.add(text);
        ArrayNode made = all.putArray("patterns");
        for (String[] each : patterns) {
            ObjectNode node = made.addObject().put("pattern", each[0]).put("replacement", each[1]);
            Pattern pattern;
            try {
                pattern = Pattern.compile(each[0]);
            } catch (Exception error) {
                node.put("error", error.getClass().getSimpleName());
                continue;
            }
            ArrayNode whole = node.putArray("whole");
            ObjectNode replaced = node.putObject("replaced");
            for (int i = 0; i < texts.length; i++) {
                if (pattern.matcher(texts[i]).matches()) whole.add(i);
                try {
                    Matcher matcher = pattern.matcher(texts[i]);
                    String result = matcher.replaceFirst(each[1]);
                    if (!result.equals(texts[i])) replaced.put(String.valueOf(i), result);
                } catch (Exception error) {
                    node.put("replacementError", error.getClass().getSimpleName());
                }
            }
        }
        return all;
    }

    // --- date formats

    static SimpleDateFormat dateFormat(String pattern) {
        SimpleDateFormat format = new SimpleDateFormat(pattern);
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        return format;
    }

    static JsonNode dateFormats() {
        long[] times = {
            0, -1, 1, 999, 43_200_000, 86_399_999, 1_700_000_000_123L, 951_782_399_999L, 951_782_400_000L, -62_135_596_800_000L, -62_167_219_200_001L, -12_219_292_800_001L, -12_219_292_800_000L, -99_999_999_999_999L,
            253_402_300_800_000L, 1_704_067_200_000L, 1_735_603_199_999L, 1_735_430_400_000L, 1_104_537_600_000L, 1_230_768_000_000L, 1_419_984_000_000L, 1_640_995_199_000L, 1_641_081_600_000L, -2_208_988_800_000L, 4_102_444_800_000L,
        };
        String[] patterns = {
            "yyyyMMdd", "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "yyyy-MM-dd'T'HH:mm:ssX", "yyyy-MM-dd HH:mm:ss.SSSZ", "yyyy-MM-dd HH:mm:ss z", "EEE, dd MMM yyyy HH:mm:ss zzz", "EEEE, d MMMM y", "MMM d, yyyy h:mm a",
            "yy/M/d", "y", "yyy", "yyyyy", "YYYY-'W'ww-u", "YY", "Y", "G yyyy", "GGGG y", "D", "DDD", "yyyyDDD", "F", "w", "W", "E", "EE", "EEEEE", "u", "a", "H", "k", "K", "h", "HH", "kk", "KK", "hh", "m", "s", "S", "SS", "SSSSSS", "z", "zzzz", "Z", "X", "XX", "XXX",
            "L", "LL", "LLL", "LLLL", "M", "MM", "MMM", "MMMM", "MMMMM", "d", "ddd", "''yyyy''", "'year 'yyyy", "yyyy'it''s'MM", "hhmmssa", "HHmmss", "yyyyMMddHHmmssSSS", "dd.MM.yyyy", "MM/dd/yy", "ddMMMyyyy", "yyyy-MM-dd HH:mm:ss", "k:mm", "K:mm a", "yyyy-D", "G yyyy-MM-dd", "yyyy MM dd E", "HH:mm:ss.SSS", "",
            "bogus", "yyyy-MM-ddTHH:mm", "'open", "XXXX", "C", "e", "yyyy-MM-dd'T", "A", "n", "ü yyyy", "yyyy[MM]",
        };
        String[] texts = {
            "20240229", "2024-02-29", "2024-2-9", "2024-13-45", "2024-00-00", "2023-02-29", "-2024-01-01", "2024-02-29 12:34:56", "2024-02-29 12:34:56 trailing", "2024-02-29T12:34:56.789Z", "2024-02-29T12:34:56.7Z", "2024-02-29T12:34:56.123456Z", "2024-02-29T12:34:56.123456789Z", "2024-02-29T12:34:56.789+02:00", "2024-02-29T12:34:56+02", "2024-02-29T12:34:56-0330",
            "2024-02-29T12:34:56Z", "2024-02-29 12:34:56.789+0100", "2024-02-29 12:34:56.789-1545", "2024-02-29 12:34:56 GMT", "2024-02-29 12:34:56 UTC", "2024-02-29 12:34:56 GMT+5:30", "2024-02-29 12:34:56 GMT-05:30", "2024-02-29 12:34:56 +0200", "Thu, 29 Feb 2024 12:34:56 GMT", "thu, 29 february 2024 12:34:56 gmt", "Thursday, 29 February 2024", "Feb 29, 2024 1:05 PM", "feb 29, 2024 12:05 am", "February 29, 2024 12:05 pm",
            "24/2/9", "68/1/1", "5/1/1", "124/1/1", "02/29/24", "29.02.2024", "29Feb2024", "29FEBRUARY2024", "20240229123456789", "20240229123456", "202402291234567", "123456", "12:34:56.789", "12:34:56", "24:00", "0:30", "12:30 PM", "0:30 AM", "11:59 pm", "2024060", "2024-60", "2024-366", "AD 2024", "BC 0044-03-15", "bc 44", "AD 2024-02-29", "2024 02 29 Thu", "2024 02 29 Fri",
            "year 2024", "'2024'", "2024it's02", "123045PM", "0001-01-01", "1582-10-04", "1582-10-10", "1582-10-15", "9999-12-31", "10000-01-01", " 2024-02-29", "2024 -02-29", "2024- 02-29", "", "x", "2024", "99999999999", "1", "12", "Sep", "Sept", "May", "Jan",
        };
        ObjectNode all = json.objectNode();
        ArrayNode writtenTimes = all.putArray("times");
        for (long time : times) writtenTimes.add(time);
        ArrayNode writtenTexts = all.putArray("texts");
        for (String text : texts) writtenTexts.add(text);
        ArrayNode made = all.putArray("patterns");
        for (String pattern : patterns) {
            ObjectNode node = made.addObject().put("pattern", pattern);
            try {
                dateFormat(pattern);
            } catch (IllegalArgumentException error) {
                node.put("error", error.getMessage());
                continue;
            }
            ArrayNode formatted = node.putArray("formatted");
            for (long time : times) formatted.add(dateFormat(pattern).format(new java.util.Date(time)));
            ObjectNode parsed = node.putObject("parsed");
            for (int i = 0; i < texts.length; i++) {
                try {
                    parsed.put(String.valueOf(i), dateFormat(pattern).parse(texts[i]).getTime());
                } catch (ParseException error) {
                    // Left out.
                }
            }
        }
        return all;
    }
}
