import java.util.stream.Stream;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch, until its process is killed. Arguments: folder of its data, port of HTTP, name=value of settings. */
public class OpenSearchNode {
  public static void main(String[] args) throws Exception {
    String folder = args[0];
    int port = Integer.parseInt(args[1]);
    var runner = new OpenSearchRunner();
    // Its own limit is for ports from 9200 on.
    runner.setMaxHttpPort(65535);
    runner.onBuild(
        (node, settings) ->
            Stream.of(args).skip(2).map(each -> each.split("=", 2)).forEach(each -> settings.put(each[0], each[1])));
    try {
      // It counts nodes from 1, and ports with them.
      runner.build(OpenSearchRunner.newConfigs().basePath(folder).numOfNode(1).clusterName("test").baseHttpPort(port - 1));
    } catch (Throwable problem) {
      problem.printStackTrace();
      System.exit(1);
    }
    Thread.currentThread().join();
  }
}
