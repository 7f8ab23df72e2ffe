package nodered.lwm2m.interop;

import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/** Leshan's own Server object (/1/0), with its effects on the registration, that reports what a server does to it. */
public final class RecordingServer extends Server {
    /** For an instance that a bootstrap server creates. */
    public RecordingServer() {}

    RecordingServer(int shortServerId, long lifetime) {
        super(shortServerId, lifetime);
    }

    @Override
    public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
        WriteResponse response = super.write(server, replace, resource, value);
        if (response.isSuccess()) {
            Events.emit("written", "path", getResourcePath(resource).toString(), "value", Events.plain(value), "replace", replace);
        }
        return response;
    }

    @Override
    public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
        Events.emit("executed", "path", getResourcePath(resource).toString(), "args", Events.plain(arguments));
        return super.execute(server, resource, arguments);
    }
}
