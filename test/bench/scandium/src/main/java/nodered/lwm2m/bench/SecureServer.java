package nodered.lwm2m.bench;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.eclipse.californium.core.CoapResource;
import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.coap.MediaTypeRegistry;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.server.resources.CoapExchange;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.UdpConfig;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedMultiPskStore;

/** Eclipse Californium over Scandium: one resource, a thousand devices, connection IDs of 6 bytes; the rest is default. */
public final class SecureServer {
  private static final class Time extends CoapResource {
    Time() {
      super("time");
    }

    @Override
    public void handleGET(CoapExchange exchange) {
      exchange.respond(ResponseCode.CONTENT, "Nov 22 12:00:00", MediaTypeRegistry.TEXT_PLAIN);
    }
  }

  public static void main(String[] arguments) {
    CoapConfig.register();
    UdpConfig.register();
    DtlsConfig.register();
    Configuration settings = Configuration.createStandardWithoutFile();
    settings.set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.SERVER_ONLY);
    settings.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, 6);
    settings.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.TLS_PSK_WITH_AES_128_CCM_8);
    AdvancedMultiPskStore keys = new AdvancedMultiPskStore();
    for (int device = 0; device < 1000; device++) {
      keys.setKey("device-" + device, "0123456789abcdef".getBytes(StandardCharsets.US_ASCII));
    }
    DtlsConnectorConfig dtls =
        DtlsConnectorConfig.builder(settings)
            .setAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0])))
            .setAdvancedPskStore(keys)
            .build();
    CoapServer server = new CoapServer(settings);
    server.addEndpoint(CoapEndpoint.builder().setConfiguration(settings).setConnector(new DTLSConnector(dtls)).build());
    server.add(new Time());
    server.start();
    System.out.println("{}");
  }
}
