package nodered.lwm2m.interop;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.util.Hex;

/** Writes one JSON object a line on standard output; logs of the libraries go to standard error. */
final class Events {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Events() {}

    /** {@code {"event": name, key: value, ...}} from alternating keys and values. */
    static synchronized void emit(String name, Object... keysAndValues) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("event", name);
        for (int i = 0; i + 1 < keysAndValues.length; i += 2) {
            line.put(String.valueOf(keysAndValues[i]), keysAndValues[i + 1]);
        }
        try {
            System.out.println(JSON.writeValueAsString(line));
            System.out.flush();
        } catch (JsonProcessingException e) {
            System.err.println("cannot write event " + name + ": " + e.getMessage());
        }
    }

    /** A resource as JSON: opaque as hex, time as epoch milliseconds, a multiple-instance one as an object. */
    static Object plain(LwM2mResource resource) {
        if (!resource.isMultiInstances()) {
            return plain(resource.getValue());
        }
        Map<String, Object> values = new TreeMap<>();
        resource.getInstances().forEach((id, instance) -> values.put(String.valueOf(id), plain(instance.getValue())));
        return values;
    }

    /** The arguments as they came; "" when there are none. */
    static String plain(Arguments arguments) {
        return arguments == null || arguments.isEmpty() ? "" : arguments.serialize();
    }

    static Object plain(Object value) {
        if (value instanceof byte[]) {
            return Hex.encodeHexString((byte[]) value);
        }
        if (value instanceof Date) {
            return ((Date) value).getTime();
        }
        if (value instanceof ObjectLink) {
            ObjectLink link = (ObjectLink) value;
            return link.getObjectId() + ":" + link.getObjectInstanceId();
        }
        if (value instanceof Number || value instanceof Boolean) {
            return value;
        }
        return String.valueOf(value);
    }
}
