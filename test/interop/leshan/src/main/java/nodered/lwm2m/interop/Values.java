package nodered.lwm2m.interop;

import java.util.Date;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.Hex;
import org.eclipse.leshan.core.util.datatype.ULong;

/** Reads the values of the {@code set} command. */
final class Values {
    private Values() {}

    /** @throws IllegalArgumentException when the text is not of the type */
    static Object parse(ResourceModel.Type type, String text) {
        switch (type) {
            case STRING:
                return text;
            case INTEGER:
                return Long.valueOf(text);
            case UNSIGNED_INTEGER:
                return ULong.valueOf(text);
            case FLOAT:
                return Double.valueOf(text);
            case BOOLEAN:
                return text.equals("true") || text.equals("1");
            case OPAQUE:
                return Hex.decodeHex(text.toCharArray());
            case TIME:
                return new Date(Long.parseLong(text));
            case OBJLNK:
                return ObjectLink.fromPath("/" + text.replace(':', '/'));
            default:
                throw new IllegalArgumentException("a resource of type " + type + " cannot be set");
        }
    }
}
