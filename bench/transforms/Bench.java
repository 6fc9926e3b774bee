import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;

/** Kafka Connect's own transforms on the records of transforms.ts: the name, records a second with a schema and without one. */
public class Bench {
    static Object sink;

    @SuppressWarnings({"unchecked", "rawtypes"})
    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[1]);
        SinkRecord[] structs = new SinkRecord[1000];
        SinkRecord[] maps = new SinkRecord[1000];
        Schema position = SchemaBuilder.struct().name("bench.Position").field("x", Schema.FLOAT64_SCHEMA).field("y", Schema.FLOAT64_SCHEMA).build();
        Schema reading = SchemaBuilder.struct().name("bench.Reading").field("device", Schema.STRING_SCHEMA).field("at", Schema.INT64_SCHEMA).field("temperature", Schema.FLOAT64_SCHEMA)
            .field("humidity", Schema.OPTIONAL_FLOAT64_SCHEMA).field("battery", Schema.INT32_SCHEMA).field("online", Schema.BOOLEAN_SCHEMA).field("note", Schema.OPTIONAL_STRING_SCHEMA).field("position", position).build();
        for (int i = 0; i < 1000; i++) {
            long at = 1_700_000_000_000L + i * 60_000L;
            Double humidity = i % 3 == 0 ? null : 40.5 + (i % 37);
            Struct struct = new Struct(reading).put("device", "device-" + i % 100).put("at", at).put("temperature", 20 + (i % 150) / 10.0).put("humidity", humidity)
                .put("battery", i % 101).put("online", i % 7 != 0).put("note", "nothing to report from here today").put("position", new Struct(position).put("x", 1.5).put("y", 2.5));
            Map<String, Object> map = new HashMap<>();
            for (String name : new String[] {"device", "at", "temperature", "humidity", "battery", "online", "note"}) map.put(name, struct.get(name));
            map.put("battery", (long) (i % 101));
            map.put("position", new HashMap<>(Map.of("x", 1.5, "y", 2.5)));
            structs[i] = record(reading, struct, at);
            maps[i] = record(null, map, at);
        }
        for (JsonNode each : new ObjectMapper().readTree(new File(args[0]))) {
            String name = each.get(0).asText();
            Map<String, Object> config = new HashMap<>();
            each.get(1).fields().forEachRemaining(entry -> config.put(entry.getKey(), entry.getValue().asText()));
            Transformation transform = (Transformation) Class.forName("org.apache.kafka.connect.transforms." + name).getDeclaredConstructor().newInstance();
            transform.configure(config);
            System.out.println(name + " " + measure(transform, structs, count) + " " + (name.startsWith("SetSchema") ? 0 : measure(transform, maps, count)));
        }
    }

    static SinkRecord record(Schema schema, Object value, long at) {
        ConnectHeaders headers = new ConnectHeaders();
        headers.addString("trace", "abc");
        headers.addString("kind", "reading");
        return new SinkRecord("plant.readings", 0, Schema.STRING_SCHEMA, "k", schema, value, 17, at, TimestampType.CREATE_TIME, headers);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static long measure(Transformation transform, SinkRecord[] records, int count) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long best = Long.MAX_VALUE;
        for (int round = 0; round < 6; round++) {
            long start = threads.getCurrentThreadCpuTime();
            for (int i = 0; i < count; i++) sink = transform.apply((ConnectRecord) records[i % 1000]);
            if (round > 0) best = Math.min(best, threads.getCurrentThreadCpuTime() - start);
        }
        return Math.round(count * 1e9 / best);
    }
}
