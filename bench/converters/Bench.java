import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * Kafka Connect's JsonConverter on the records of converters.ts, given as envelopes, a line each: for each file a line with the
 * records a second written and read, with envelopes and plain.
 */
public class Bench {
    static Object sink;

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[0]);
        for (int file = 1; file < args.length; file++) {
            List<String> lines = Files.readAllLines(Path.of(args[file]));
            StringBuilder figures = new StringBuilder();
            for (boolean schemas : new boolean[] {true, false}) {
                JsonConverter converter = new JsonConverter();
                converter.configure(Map.of("schemas.enable", schemas), false);
                JsonConverter envelopes = new JsonConverter();
                envelopes.configure(Map.of(), false);
                SchemaAndValue[] values = new SchemaAndValue[lines.size()];
                byte[][] bytes = new byte[lines.size()][];
                for (int i = 0; i < values.length; i++) {
                    values[i] = envelopes.toConnectData("t", lines.get(i).getBytes("UTF-8"));
                    // As a source has it: one schema for all of its records.
                    bytes[i] = converter.fromConnectData("t", values[i].schema(), values[i].value());
                }
                int n = values.length;
                figures.append(measure(count, i -> converter.fromConnectData("t", values[i % n].schema(), values[i % n].value()))).append(' ');
                figures.append(measure(count, i -> converter.toConnectData("t", bytes[i % n]))).append(' ');
            }
            System.out.println(figures);
        }
    }

    interface Convert {
        Object apply(int i);
    }

    static long measure(int count, Convert convert) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long best = Long.MAX_VALUE;
        for (int round = 0; round < 6; round++) {
            long start = threads.getCurrentThreadCpuTime();
            for (int i = 0; i < count; i++) sink = convert.apply(i);
            if (round > 0) best = Math.min(best, threads.getCurrentThreadCpuTime() - start);
        }
        return Math.round(count * 1e9 / best);
    }
}
