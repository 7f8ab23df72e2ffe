package nodered.lwm2m.interop;

import java.util.HashMap;
import java.util.Map;
import org.eclipse.leshan.client.resource.SimpleInstanceEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/** An object instance with values from its model that reports what a server does to it. */
final class RecordingInstance extends SimpleInstanceEnabler {
    RecordingInstance(int id, Map<Integer, Object> values) {
        super(id, values);
    }

    /** Changes a value from inside the device; observers are notified. {@code resourceInstance} may be null. */
    synchronized void set(int resource, Integer resourceInstance, String text) {
        ResourceModel definition = getModel().resources.get(resource);
        if (definition == null) {
            throw new IllegalArgumentException("object " + getModel().id + " has no resource " + resource);
        }
        Object value = Values.parse(definition.type, text);
        if (definition.multiple != (resourceInstance != null)) {
            throw new IllegalArgumentException("resource " + resource + (definition.multiple ? " is" : " is not") + " multiple-instance");
        }
        if (resourceInstance == null) {
            resources.put(resource, LwM2mSingleResource.newResource(resource, value, definition.type));
            fireResourceChange(resource);
            return;
        }
        Map<Integer, LwM2mResourceInstance> instances = new HashMap<>();
        LwM2mResource before = resources.get(resource);
        if (before != null) {
            instances.putAll(before.getInstances());
        }
        instances.put(resourceInstance, LwM2mResourceInstance.newInstance(resourceInstance, value, definition.type));
        resources.put(resource, new LwM2mMultipleResource(resource, definition.type, instances.values()));
        fireResourceInstanceChange(resource, resourceInstance);
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
        return ExecuteResponse.success();
    }

    @Override
    public ObserveResponse observe(LwM2mServer server) {
        Events.emit("observed", "path", "/" + getModel().id + "/" + getId());
        return super.observe(server);
    }

    @Override
    public ObserveResponse observe(LwM2mServer server, int resource) {
        Events.emit("observed", "path", getResourcePath(resource).toString());
        return super.observe(server, resource);
    }
}
