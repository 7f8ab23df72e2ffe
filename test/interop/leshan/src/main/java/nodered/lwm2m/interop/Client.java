package nodered.lwm2m.interop;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * A LwM2M client on Eclipse Leshan and Californium for the interop suite: says what happens as JSON lines on standard
 * output, takes commands on standard input.
 */
public final class Client {
    private static final int RETRY_MS = 1000;

    private Client() {}

    public static void main(String[] args) throws Exception {
        Options options;
        try {
            options = Options.parse(args);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage() + "\nusage: " + Options.USAGE);
            System.exit(1);
            return;
        }
        Objects objects = new Objects(options);
        LeshanClient client = build(options, objects);
        client.addObserver(new Reporter());
        client.start();
        Events.emit("started", "endpoint", options.endpoint);

        new Commands(client, objects.instances, options.format).run();
        client.destroy(true);
        Events.emit("stopped");
        System.exit(0);
    }

    private static LeshanClient build(Options options, Objects objects) {
        DefaultRegistrationEngineFactory engine = new DefaultRegistrationEngineFactory();
        engine.setQueueMode(options.queueMode);
        engine.setRetryWaitingTimeInMs(RETRY_MS);

        return new LeshanClientBuilder(options.endpoint)
            .setObjects(objects.enablers)
            .setEncoder(Formats.encoder(options))
            .setDecoder(Formats.decoder(options))
            .setRegistrationEngineFactory(engine)
            .setEndpointsProviders(endpoints(options).build())
            .build();
    }

    private static CaliforniumClientEndpointsProvider.Builder endpoints(Options options) {
        CaliforniumClientEndpointsProvider.Builder endpoints =
            new CaliforniumClientEndpointsProvider.Builder(new CoapClientProtocolProvider(), new CoapsClientProtocolProvider());
        Configuration configuration = endpoints.createDefaultConfiguration();
        if (options.cid != null) {
            configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, options.cid);
        }
        if (options.ackTimeout != null) {
            configuration.set(CoapConfig.ACK_TIMEOUT, options.ackTimeout, TimeUnit.MILLISECONDS);
        }
        if (options.cipherSuites != null) {
            configuration.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
            configuration.set(
                DtlsConfig.DTLS_CIPHER_SUITES,
                Arrays.stream(options.cipherSuites.split(",")).map(CipherSuite::getTypeByName).collect(Collectors.toList()));
        }
        return endpoints.setConfiguration(configuration);
    }

    private static final class Reporter extends LwM2mClientObserverAdapter {
        @Override
        public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String id) {
            Events.emit("registered", "location", id, "endpoint", request.getEndpointName());
        }

        @Override
        public void onRegistrationFailure(
            LwM2mServer server, RegisterRequest request, ResponseCode code, String message, Exception cause) {
            failed("register", code, message, cause);
        }

        @Override
        public void onRegistrationTimeout(LwM2mServer server, RegisterRequest request) {
            Events.emit("timeout", "operation", "register");
        }

        @Override
        public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
            Events.emit("updated", "location", request.getRegistrationId());
        }

        @Override
        public void onUpdateFailure(LwM2mServer server, UpdateRequest request, ResponseCode code, String message, Exception cause) {
            failed("update", code, message, cause);
        }

        @Override
        public void onUpdateTimeout(LwM2mServer server, UpdateRequest request) {
            Events.emit("timeout", "operation", "update");
        }

        @Override
        public void onDeregistrationSuccess(LwM2mServer server, DeregisterRequest request) {
            Events.emit("deregistered", "location", request.getRegistrationId());
        }

        @Override
        public void onDeregistrationFailure(
            LwM2mServer server, DeregisterRequest request, ResponseCode code, String message, Exception cause) {
            failed("deregister", code, message, cause);
        }

        @Override
        public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
            Events.emit("bootstrapped");
        }

        @Override
        public void onBootstrapFailure(
            LwM2mServer server, BootstrapRequest request, ResponseCode code, String message, Exception cause) {
            failed("bootstrap", code, message, cause);
        }

        @Override
        public void onUnexpectedError(Throwable error) {
            Events.emit("error", "message", String.valueOf(error));
        }

        private static void failed(String operation, ResponseCode code, String message, Exception cause) {
            Events.emit(
                "error", "operation", operation, "code", String.valueOf(code), "message", message == null ? String.valueOf(cause) : message);
        }
    }
}
