package nodered.lwm2m.bench;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
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
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticNewAdvancedCertificateVerifier;

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

  private static PrivateKey privateKey(String base64) throws GeneralSecurityException {
    return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
  }

  private static PublicKey publicKey(String base64) throws GeneralSecurityException {
    return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(base64)));
  }

  /** Port, and for raw public keys the private and the public key of the server, DER as base64. */
  public static void main(String[] arguments) throws GeneralSecurityException {
    CoapConfig.register();
    UdpConfig.register();
    DtlsConfig.register();
    Configuration settings = Configuration.createStandardWithoutFile();
    settings.set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.SERVER_ONLY);
    settings.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, 6);
    boolean rawPublicKeys = arguments.length > 1;
    settings.setAsList(
        DtlsConfig.DTLS_CIPHER_SUITES,
        rawPublicKeys ? CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 : CipherSuite.TLS_PSK_WITH_AES_128_CCM_8);
    AdvancedMultiPskStore keys = new AdvancedMultiPskStore();
    for (int device = 0; device < 1000; device++) {
      keys.setKey("device-" + device, "0123456789abcdef".getBytes(StandardCharsets.US_ASCII));
    }
    DtlsConnectorConfig.Builder dtls =
        DtlsConnectorConfig.builder(settings)
            .setAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0])));
    if (rawPublicKeys) {
      // Any key is trusted, which costs less than to look it up.
      dtls.setCertificateIdentityProvider(new SingleCertificateProvider(privateKey(arguments[1]), publicKey(arguments[2])))
          .setAdvancedCertificateVerifier(StaticNewAdvancedCertificateVerifier.builder().setTrustAllRPKs().build());
    } else {
      dtls.setAdvancedPskStore(keys);
    }
    CoapServer server = new CoapServer(settings);
    server.addEndpoint(CoapEndpoint.builder().setConfiguration(settings).setConnector(new DTLSConnector(dtls.build())).build());
    server.add(new Time());
    server.start();
    System.out.println("{}");
  }
}
