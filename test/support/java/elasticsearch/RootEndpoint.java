package tidewire.test;

import java.util.List;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterName;
import org.elasticsearch.node.Node;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

/** Says which server this is, in the words by which clients know it. */
public class RootEndpoint implements RestHandler {
  @Override
  public List<Route> routes() {
    return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
  }

  @Override
  public void handleRequest(RestRequest request, RestChannel channel, NodeClient client) throws Exception {
    var settings = client.settings();
    XContentBuilder answer = channel.newBuilder();
    answer.startObject();
    answer.field("name", Node.NODE_NAME_SETTING.get(settings));
    answer.field("cluster_name", ClusterName.CLUSTER_NAME_SETTING.get(settings).value());
    answer.startObject("version");
    answer.field("number", Build.current().version());
    answer.field("build_flavor", Build.current().flavor());
    answer.endObject();
    answer.field("tagline", "You Know, for Search");
    answer.endObject();
    channel.sendResponse(new RestResponse(RestStatus.OK, answer));
  }
}
