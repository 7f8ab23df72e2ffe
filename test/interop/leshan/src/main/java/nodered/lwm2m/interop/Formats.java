package nodered.lwm2m.interop;

import java.util.Map;
import java.util.Set;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mDecoder;
import org.eclipse.leshan.core.node.codec.DefaultLwM2mEncoder;
import org.eclipse.leshan.core.node.codec.LwM2mDecoder;
import org.eclipse.leshan.core.node.codec.LwM2mEncoder;
import org.eclipse.leshan.core.node.codec.LwM2mValueChecker;
import org.eclipse.leshan.core.request.ContentFormat;

/** The content formats the client speaks, all of the library or only some. */
final class Formats {
    private static final Set<ContentFormat> SINGLE_VALUE = Set.of(ContentFormat.TEXT, ContentFormat.OPAQUE, ContentFormat.CBOR);

    private Formats() {}

    static LwM2mEncoder encoder(Options options) {
        return new DefaultLwM2mEncoder(
            only(DefaultLwM2mEncoder.getDefaultNodeEncoders(options.oldFormats), options.format),
            DefaultLwM2mEncoder.getDefaultPathEncoder(),
            new LwM2mValueChecker());
    }

    static LwM2mDecoder decoder(Options options) {
        return new DefaultLwM2mDecoder(
            only(DefaultLwM2mDecoder.getDefaultNodeDecoders(options.oldFormats), options.format),
            DefaultLwM2mDecoder.getDefaultPathDecoder());
    }

    private static <T> Map<ContentFormat, T> only(Map<ContentFormat, T> all, ContentFormat format) {
        if (format != null) {
            all.keySet().removeIf(known -> !known.equals(format) && !SINGLE_VALUE.contains(known));
        }
        return all;
    }
}
