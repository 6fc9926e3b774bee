import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command-line tools one after the other in one JVM, which saves a start of a second for each. One line
 * of JSON in, {"main": class, "args": [...], "input": text}, one line of JSON out, {"code": n, "out": text, "err": text}.
 */
public class ToolShell {
  /** Ends a tool where it would have ended its process. Some catch even that, and exit again: the first time counts. */
  static class Exited extends Error {
    Exited() {
      super(null, null, false, false);
    }
  }

  /** What a tool leaves to be done when its process ends: the console producer sends its last records there. */
  private static final List<Runnable> hooks = new ArrayList<>();

  private static Integer exitCode;
  private static ByteArrayOutputStream out;
  private static ByteArrayOutputStream err;
  private static String outAtExit;
  private static String errAtExit;

  private static void exit(int code) {
    if (exitCode == null) {
      exitCode = code;
      outAtExit = out.toString(StandardCharsets.UTF_8);
      errAtExit = err.toString(StandardCharsets.UTF_8);
    }
    throw new Exited();
  }

  public static void main(String[] unused) throws Exception {
    PrintStream answers = System.out;
    // What the logging prints goes where errors go, not between the answers.
    System.setOut(System.err);
    PrintStream log = System.err;
    Exit.setExitProcedure((code, message) -> exit(code));
    Exit.setHaltProcedure((code, message) -> exit(code));
    Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
    ObjectMapper json = new ObjectMapper();
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = requests.readLine()) != null; ) {
      JsonNode request = json.readTree(line);
      List<String> args = new ArrayList<>();
      request.get("args").forEach(arg -> args.add(arg.asText()));
      exitCode = null;
      out = new ByteArrayOutputStream();
      err = new ByteArrayOutputStream();
      System.setIn(new ByteArrayInputStream(request.get("input").asText().getBytes(StandardCharsets.UTF_8)));
      System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
      run(request.get("main").asText(), args.toArray(String[]::new));
      System.setOut(log);
      System.setErr(log);
      Map<String, Object> answer = Map.of("code", exitCode, "out", outAtExit, "err", errAtExit);
      answers.println(json.writeValueAsString(answer));
      answers.flush();
    }
    System.exit(0);
  }

  private static void run(String main, String[] args) {
    try {
      try {
        ToolShell.class.getClassLoader().loadClass(main).getMethod("main", String[].class).invoke(null, (Object) args);
        exit(0);
      } catch (InvocationTargetException thrown) {
        if (thrown.getCause() instanceof Exited exited) throw exited;
        thrown.getCause().printStackTrace();
        exit(1);
      } catch (ReflectiveOperationException noSuchTool) {
        noSuchTool.printStackTrace();
        exit(1);
      }
    } catch (Exited end) {
      for (Runnable hook : hooks) hook.run();
      hooks.clear();
    }
  }
}

/**
 * A transactional producer: BOOTSTRAP TOPIC TRANSACTIONAL_ID STEP..., a step being "commit", "abort", "offset:GROUP:N" or
 * else a value to write. A transaction that is not ended by the last step is left open by a producer that is gone without a word.
 */
class TransactionalWriter {
  @SuppressWarnings("removal")
  public static void main(String[] args) throws Exception {
    String topic = args[1];
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("transactional.id", args[2]);
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    producer.initTransactions();
    boolean isOpen = false;
    for (String step : List.of(args).subList(3, args.length)) {
      if (!isOpen) producer.beginTransaction();
      isOpen = !step.equals("commit") && !step.equals("abort");
      if (step.equals("commit")) {
        producer.commitTransaction();
      } else if (step.equals("abort")) {
        producer.abortTransaction();
      } else if (step.startsWith("offset:")) {
        String[] parts = step.split(":");
        producer.sendOffsetsToTransaction(
            Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(Long.parseLong(parts[2]))),
            new ConsumerGroupMetadata(parts[1], -1, "", Optional.empty()));
      } else {
        System.out.println(producer.send(new ProducerRecord<>(topic, 0, null, step)).get().offset());
      }
    }
    // Closing would end the transaction in an abort.
    if (!isOpen) producer.close();
  }
}

/**
 * Members of one group that go on in the background. "join BOOTSTRAP GROUP TOPIC ASSIGNOR PARTITIONS [INSTANCE]" adds one and waits
 * until each has an equal share of so many partitions; "settle PARTITIONS" only waits; "leave" takes one away; "end" takes all
 * away and prints what they did. An assignor of the broker, as "uniform", takes the group protocol of KIP-848; then "/pattern" for the topic
 * subscribes by pattern.
 */
class GroupMembers {
  static final List<Member> members = new ArrayList<>();
  static final AtomicInteger records = new AtomicInteger();
  static final AtomicInteger revoked = new AtomicInteger();

  public static void main(String[] args) throws Exception {
    if (args[0].equals("join")) {
      members.add(new Member(args[1], args[2], args[3], args[4], args.length > 6 ? args[6] : null));
      settle(Integer.parseInt(args[5]));
    } else if (args[0].equals("settle")) {
      settle(Integer.parseInt(args[1]));
    } else if (args[0].equals("leave")) {
      members.remove(members.size() - 1).leave();
    } else {
      for (Member member : members) member.leave();
      members.clear();
      System.out.println("records " + records.getAndSet(0) + ", revoked " + revoked.getAndSet(0));
    }
  }

  private static void settle(int partitions) throws Exception {
    int share = partitions / members.size();
    long deadline = System.currentTimeMillis() + 30_000;
    while (!members.stream().allMatch(member -> member.assigned == share)) {
      for (Member member : members) if (member.failure != null) throw member.failure;
      if (System.currentTimeMillis() > deadline) throw new IllegalStateException("the group did not settle");
      Thread.sleep(10);
    }
  }

  static class Member extends Thread implements ConsumerRebalanceListener {
    private final KafkaConsumer<String, String> consumer;
    private final String topic;
    volatile int assigned;
    volatile RuntimeException failure;
    private volatile boolean isLeaving;
    private boolean isClosing;

    Member(String bootstrap, String group, String topic, String assignor, String instance) {
      Properties settings = new Properties();
      settings.put("bootstrap.servers", bootstrap);
      settings.put("group.id", group);
      settings.put("client.id", "member");
      settings.put("auto.offset.reset", "earliest");
      if (assignor.endsWith("Assignor")) {
        settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        settings.put("heartbeat.interval.ms", "200");
      } else {
        settings.put("group.protocol", "consumer");
        settings.put("group.remote.assignor", assignor);
      }
      if (instance != null) settings.put("group.instance.id", instance);
      this.topic = topic;
      consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
      setDaemon(true);
      start();
    }

    @Override
    public void run() {
      if (topic.startsWith("/")) consumer.subscribe(new SubscriptionPattern(topic.substring(1)), this);
      else consumer.subscribe(List.of(topic), this);
      try {
        while (!isLeaving) {
          records.addAndGet(consumer.poll(Duration.ofMillis(50)).count());
          assigned = consumer.assignment().size();
        }
      } catch (RuntimeException thrown) {
        failure = thrown;
      }
      isClosing = true;
      consumer.close();
    }

    void leave() throws InterruptedException {
      isLeaving = true;
      join();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      if (!isClosing) revoked.addAndGet(partitions.size());
    }
  }
}
