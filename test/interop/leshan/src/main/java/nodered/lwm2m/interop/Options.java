package nodered.lwm2m.interop;

import org.eclipse.leshan.core.request.ContentFormat;

/** The command line. */
final class Options {
    static final String USAGE =
        "--server coap://host:port --endpoint NAME [--lifetime SECONDS] [--security none|psk|rpk|x509]"
            + " [--identity ID --key HEX] [--public-key HEX --private-key HEX --server-key HEX]"
            + " [--cid LENGTH] [--cipher-suites A,B] [--ack-timeout MS] [--queue-mode] [--bootstrap] [--format tlv|senml-json|senml-cbor] [--old-formats]";

    String server = "";
    String endpoint = "leshan";
    String security = "none";
    String identity = "";
    String key = "";
    /** Raw public key (SubjectPublicKeyInfo) or certificate of the client, DER as hex. */
    String publicKey = "";
    /** PKCS#8, DER as hex. */
    String privateKey = "";
    /** Raw public key or certificate of the server, DER as hex. */
    String serverKey = "";
    long lifetime = 300;
    /** Length of the connection ID it asks for; null: as the library does, which uses the server's and asks for none. */
    Integer cid;
    /** Names of the cipher suites it offers; null: what the library would. */
    String cipherSuites;
    /** ACK_TIMEOUT of CoAP in ms; null: that of the standard. */
    Long ackTimeout;
    boolean queueMode;
    boolean bootstrap;
    /** Also speak the formats LwM2M used before it had registered numbers (1541 to 1543). */
    boolean oldFormats;
    /** The one format for more than a single value that this client speaks; null: all that the library has. */
    ContentFormat format;

    /** @throws IllegalArgumentException with what is wrong */
    static Options parse(String[] args) {
        Options options = new Options();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--queue-mode":
                    options.queueMode = true;
                    continue;
                case "--bootstrap":
                    options.bootstrap = true;
                    continue;
                case "--old-formats":
                    options.oldFormats = true;
                    continue;
                default:
                    break;
            }
            if (i + 1 >= args.length) {
                throw new IllegalArgumentException(args[i] + " needs a value, or is unknown");
            }
            String value = args[i + 1];
            switch (args[i]) {
                case "--server":
                    options.server = value;
                    break;
                case "--endpoint":
                    options.endpoint = value;
                    break;
                case "--security":
                    options.security = value;
                    break;
                case "--identity":
                    options.identity = value;
                    break;
                case "--key":
                    options.key = value;
                    break;
                case "--public-key":
                    options.publicKey = value;
                    break;
                case "--private-key":
                    options.privateKey = value;
                    break;
                case "--server-key":
                    options.serverKey = value;
                    break;
                case "--cid":
                    options.cid = Integer.valueOf(value);
                    break;
                case "--cipher-suites":
                    options.cipherSuites = value;
                    break;
                case "--ack-timeout":
                    options.ackTimeout = Long.valueOf(value);
                    break;
                case "--lifetime":
                    options.lifetime = Long.parseLong(value);
                    break;
                case "--format":
                    options.format = format(value);
                    break;
                default:
                    throw new IllegalArgumentException("unknown option " + args[i]);
            }
            i++;
        }
        if (options.server.isEmpty()) {
            throw new IllegalArgumentException("--server is missing");
        }
        return options;
    }

    private static ContentFormat format(String name) {
        switch (name) {
            case "tlv":
                return ContentFormat.TLV;
            case "senml-json":
                return ContentFormat.SENML_JSON;
            case "senml-cbor":
                return ContentFormat.SENML_CBOR;
            default:
                throw new IllegalArgumentException("format " + name + " is none of tlv, senml-json, senml-cbor");
        }
    }
}
