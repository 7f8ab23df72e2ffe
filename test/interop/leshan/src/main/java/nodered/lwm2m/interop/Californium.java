package nodered.lwm2m.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.californium.core.coap.MediaTypeRegistry;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.DtlsEndpointContext;
import org.eclipse.californium.elements.EndpointContext;
import org.eclipse.californium.elements.auth.RawPublicKeyIdentity;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.SystemConfig;
import org.eclipse.californium.elements.config.UdpConfig;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.MaxFragmentLengthExtension;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.californium.scandium.dtls.pskstore.SinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticCertificateVerifier;

/**
 * Eclipse Californium over Scandium alone: for each line of JSON on standard input a new DTLS session, a GET of /hello and a POST of /echo
 * that must come back as it was. A line of JSON tells what came of it.
 */
public final class Californium {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int TIMEOUT_MS = 20_000;

    private Californium() {}

    public static void main(String[] arguments) throws Exception {
        CoapConfig.register();
        UdpConfig.register();
        DtlsConfig.register();
        Events.emit("started");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                talk(JSON.readTree(line));
            } catch (Exception e) {
                Events.emit("failed", "message", String.valueOf(e), "cause", String.valueOf(e.getCause()));
            }
        }
    }

    private static void talk(JsonNode wish) throws Exception {
        Configuration settings = Configuration.createStandardWithoutFile();
        settings.set(SystemConfig.HEALTH_STATUS_INTERVAL, 0, TimeUnit.SECONDS);
        settings.set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.CLIENT_ONLY);
        settings.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
        settings.set(DtlsConfig.DTLS_VERIFY_SERVER_CERTIFICATES_SUBJECT, false);
        settings.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.valueOf(wish.get("suite").asText()));
        if (wish.has("cid")) {
            settings.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, wish.get("cid").asInt());
        }
        if (wish.has("fragment")) {
            settings.set(
                DtlsConfig.DTLS_MAX_FRAGMENT_LENGTH,
                MaxFragmentLengthExtension.Length.valueOf("BYTES_" + wish.get("fragment").asInt()));
        }
        if (wish.has("recordSize")) {
            settings.set(DtlsConfig.DTLS_RECORD_SIZE_LIMIT, wish.get("recordSize").asInt());
        }
        DtlsConnectorConfig.Builder dtls = DtlsConnectorConfig.builder(settings);
        prove(wish, dtls);
        DTLSConnector connector = new DTLSConnector(dtls.build());
        CoapEndpoint endpoint = CoapEndpoint.builder().setConfiguration(settings).setConnector(connector).build();
        String uri = "coaps://127.0.0.1:" + wish.get("port").asInt();
        CoapClient client = new CoapClient();
        client.setEndpoint(endpoint);
        client.setTimeout((long) TIMEOUT_MS);
        try {
            CoapResponse hello = client.setURI(uri + "/hello").get();
            byte[] body = new byte[wish.get("bytes").asInt()];
            new Random(1).nextBytes(body);
            CoapResponse echo = client.setURI(uri + "/echo").post(body, MediaTypeRegistry.APPLICATION_OCTET_STREAM);
            if (hello == null || echo == null) {
                Events.emit("failed", "message", "no answer");
                return;
            }
            EndpointContext context = echo.advanced().getSourceContext();
            Events.emit(
                "done",
                "hello", hello.getResponseText(),
                "same", Arrays.equals(body, echo.getPayload()),
                "suite", context.get(DtlsEndpointContext.KEY_CIPHER),
                "peer", String.valueOf(context.getPeerIdentity()));
        } finally {
            client.shutdown();
            endpoint.destroy();
        }
    }

    private static void prove(JsonNode wish, DtlsConnectorConfig.Builder dtls) throws Exception {
        String mode = wish.get("mode").asText();
        if (mode.equals("psk")) {
            dtls.setPskStore(new SinglePskStore(wish.get("identity").asText(), bytes(wish, "key")));
            return;
        }
        PrivateKey privateKey = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(bytes(wish, "privateKey")));
        StaticCertificateVerifier.Builder trust = StaticCertificateVerifier.builder();
        if (mode.equals("rpk")) {
            PublicKey shown = KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(bytes(wish, "shown")));
            PublicKey server = KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(bytes(wish, "server")));
            dtls.setCertificateIdentityProvider(new SingleCertificateProvider(privateKey, shown));
            trust.setTrustedRPKs(new RawPublicKeyIdentity(server));
        } else {
            X509Certificate[] chain = {certificate(wish, "shown")};
            dtls.setCertificateIdentityProvider(
                new SingleCertificateProvider(privateKey, chain, Collections.singletonList(CertificateType.X_509)));
            trust.setTrustedCertificates(certificate(wish, "server"));
        }
        dtls.setCertificateVerifier(trust.build());
    }

    private static X509Certificate certificate(JsonNode wish, String name) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(bytes(wish, name)));
    }

    private static byte[] bytes(JsonNode wish, String name) {
        return HexFormat.of().parseHex(wish.get(name).asText());
    }
}
