package nodered.lwm2m.interop;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnabler;
import org.eclipse.leshan.client.resource.LwM2mObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.core.model.InvalidDDFFileException;
import org.eclipse.leshan.core.model.InvalidModelException;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.Hex;
import org.eclipse.leshan.core.util.datatype.ULong;

/** The objects of this device and the values they start with. */
final class Objects {
    static final int SHORT_SERVER_ID = 123;
    private static final String[] OWN_MODELS = {"9.xml", "19.xml", "3303.xml", "3442.xml"};
    private static final int[] PLAIN_OBJECTS = {3, 4, 5, 6, 9, 19, 3303, 3442};

    final List<LwM2mObjectEnabler> enablers;
    /** By path of the object instance. */
    final Map<String, RecordingInstance> instances = new LinkedHashMap<>();

    Objects(Options options) throws IOException, InvalidDDFFileException, InvalidModelException {
        ObjectsInitializer initializer = new ObjectsInitializer(new StaticModel(models()));
        initializer.setInstancesForObject(0, security(options));
        if (options.bootstrap) {
            initializer.setClassForObject(1, RecordingServer.class);
        } else {
            initializer.setInstancesForObject(1, new RecordingServer(SHORT_SERVER_ID, options.lifetime));
        }
        List<Integer> ids = new ArrayList<>(List.of(0, 1));
        for (int id : PLAIN_OBJECTS) {
            int count = id == 3303 ? 2 : 1;
            LwM2mInstanceEnabler[] all = new LwM2mInstanceEnabler[count];
            for (int i = 0; i < count; i++) {
                RecordingInstance instance = new RecordingInstance(i, values(id, i));
                instances.put("/" + id + "/" + i, instance);
                all[i] = instance;
            }
            initializer.setInstancesForObject(id, all);
            initializer.setFactoryForObject(id, (model, instanceId, taken) -> created(model, instanceId, taken));
            ids.add(id);
        }
        enablers = initializer.create(ids.stream().mapToInt(Integer::intValue).toArray());
    }

    private LwM2mInstanceEnabler created(ObjectModel model, Integer wanted, Collection<Integer> taken) {
        int id = wanted != null ? wanted : taken.stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
        RecordingInstance instance = new RecordingInstance(id, new LinkedHashMap<>());
        instance.setModel(model);
        instances.put("/" + model.id + "/" + id, instance);
        Events.emit("created", "path", "/" + model.id + "/" + id);
        return instance;
    }

    private static List<ObjectModel> models() throws IOException, InvalidDDFFileException, InvalidModelException {
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadDefault());
        for (String file : OWN_MODELS) {
            try (InputStream input = Objects.class.getResourceAsStream("/models/" + file)) {
                models.addAll(ObjectLoader.loadDdfFile(input, file));
            }
        }
        return models;
    }

    private static Security security(Options options) {
        if (options.security.equals("psk")) {
            byte[] identity = options.identity.getBytes(StandardCharsets.UTF_8);
            byte[] key = Hex.decodeHex(options.key.toCharArray());
            return options.bootstrap
                ? Security.pskBootstrap(options.server, identity, key)
                : Security.psk(options.server, SHORT_SERVER_ID, identity, key);
        }
        byte[] publicKey = Hex.decodeHex(options.publicKey.toCharArray());
        byte[] privateKey = Hex.decodeHex(options.privateKey.toCharArray());
        byte[] serverKey = Hex.decodeHex(options.serverKey.toCharArray());
        if (options.security.equals("rpk")) {
            return options.bootstrap
                ? Security.rpkBootstrap(options.server, publicKey, privateKey, serverKey)
                : Security.rpk(options.server, SHORT_SERVER_ID, publicKey, privateKey, serverKey);
        }
        if (options.security.equals("x509")) {
            return options.bootstrap
                ? Security.x509Bootstrap(options.server, publicKey, privateKey, serverKey)
                : Security.x509(options.server, SHORT_SERVER_ID, publicKey, privateKey, serverKey);
        }
        return options.bootstrap ? Security.noSecBootstrap(options.server) : Security.noSec(options.server, SHORT_SERVER_ID);
    }

    /** Values a test can tell from a default; what is not named here gets the library's default for its type. */
    private static Map<Integer, Object> values(int object, int instance) {
        Map<Integer, Object> values = new LinkedHashMap<>();
        switch (object) {
            case 3:
                values.put(0, "Interop Works");
                values.put(1, "Model L");
                values.put(2, "SN-0001");
                values.put(3, "1.0.7");
                values.put(6, Map.of(0, 1L, 1, 5L));
                values.put(7, Map.of(0, 3800L, 1, 5000L));
                values.put(8, Map.of(0, 125L, 1, 900L));
                values.put(9, 100L);
                values.put(10, 15L);
                values.put(11, Map.of(0, 0L));
                values.put(13, new Date(1_700_000_000_000L));
                values.put(14, "+02:00");
                values.put(15, "Europe/Paris");
                values.put(16, "U");
                values.put(20, 0L);
                values.put(21, 64L);
                break;
            case 4:
                values.put(0, 6L);
                values.put(2, -82L);
                values.put(3, 70L);
                break;
            case 5:
                values.put(3, 0L);
                values.put(5, 0L);
                values.put(9, 2L);
                break;
            case 6:
                values.put(0, 43.5723);
                values.put(1, -27.21);
                values.put(5, new Date(1_700_000_000_000L));
                break;
            case 19:
                values.put(0, Map.of(0, new byte[] {0, (byte) 0xad, 0x45, 0x67}));
                break;
            case 3303:
                values.put(5700, instance == 0 ? 21.5 : -4.25);
                values.put(5701, "Cel");
                break;
            case 3442:
                values.put(110, "text \u00e4\u20ac");
                values.put(120, -9_007_199_254_740_993L);
                // Near 2^64 it would not do: Leshan's TLV shortens such a value like a negative number, 2^64 - 1 to the one byte ff.
                values.put(125, ULong.valueOf("9223372036854775809"));
                values.put(130, 3.14159);
                values.put(140, true);
                values.put(150, new byte[] {0, 1, 2, (byte) 0xff});
                values.put(160, new Date(946_684_800_000L));
                values.put(170, new ObjectLink(3, 0));
                values.put(1110, Map.of(0, "a", 7, "b"));
                values.put(1120, Map.of(0, 1L, 65534, -1L));
                values.put(1125, Map.of(0, ULong.valueOf("1")));
                values.put(1130, Map.of(0, 0.5));
                values.put(1140, Map.of(0, true));
                values.put(1150, Map.of(0, new byte[] {1}));
                values.put(1160, Map.of(0, new Date(1_000_000_000_000L)));
                values.put(1170, Map.of(0, new ObjectLink(3, 0)));
                break;
            default:
                break;
        }
        return values;
    }
}
