package nodered.lwm2m.bench;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.californium.core.CoapResource;
import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.coap.MediaTypeRegistry;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.server.resources.CoapExchange;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.UdpConfig;

/** Eclipse Californium with its default settings, and the least a server can do with a GET and with a Register. */
public final class Server {
  private static final class Time extends CoapResource {
    Time() {
      super("time");
    }

    @Override
    public void handleGET(CoapExchange exchange) {
      exchange.respond(ResponseCode.CONTENT, "Nov 22 12:00:00", MediaTypeRegistry.TEXT_PLAIN);
    }
  }

  private static final class Directory extends CoapResource {
    private final Map<String, InetSocketAddress> registered = new ConcurrentHashMap<>();
    private final AtomicLong next = new AtomicLong();

    Directory() {
      super("rd");
    }

    @Override
    public void handlePOST(CoapExchange exchange) {
      List<String> query = exchange.getRequestOptions().getUriQuery();
      for (String parameter : query) {
        if (parameter.startsWith("ep=")) {
          registered.put(parameter.substring(3), exchange.getSourceSocketAddress());
        }
      }
      exchange.setLocationPath("rd/" + next.incrementAndGet());
      exchange.respond(ResponseCode.CREATED);
    }
  }

  public static void main(String[] arguments) {
    CoapConfig.register();
    UdpConfig.register();
    Configuration settings = Configuration.createStandardWithoutFile();
    int port = Integer.parseInt(arguments[0]);
    CoapServer server = new CoapServer(settings);
    server.addEndpoint(
        CoapEndpoint.builder()
            .setConfiguration(settings)
            .setInetSocketAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .build());
    server.add(new Time(), new Directory());
    server.start();
    System.out.println(
        "{\"exchangeLifetime\":" + settings.getTimeAsInt(CoapConfig.EXCHANGE_LIFETIME, java.util.concurrent.TimeUnit.MILLISECONDS)
            + ",\"deduplicator\":\"" + settings.get(CoapConfig.DEDUPLICATOR)
            + "\",\"maxPeers\":" + settings.get(CoapConfig.MAX_ACTIVE_PEERS)
            + ",\"protocolThreads\":" + settings.get(CoapConfig.PROTOCOL_STAGE_THREAD_COUNT)
            + ",\"receivers\":" + settings.get(UdpConfig.UDP_RECEIVER_THREAD_COUNT) + "}");
  }
}
