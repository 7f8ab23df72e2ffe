package nodered.lwm2m.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.request.ContentFormat;

/** The commands on standard input, one a line: set, update, send, stop. */
final class Commands {
    private static final long SEND_TIMEOUT_MS = 10_000;

    private final LeshanClient client;
    private final Map<String, RecordingInstance> instances;
    private final ContentFormat sendFormat;

    Commands(LeshanClient client, Map<String, RecordingInstance> instances, ContentFormat only) {
        this.client = client;
        this.instances = instances;
        this.sendFormat = ContentFormat.SENML_JSON.equals(only) ? only : ContentFormat.SENML_CBOR;
    }

    /** Returns at `stop` or at the end of the input. */
    void run() throws IOException {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.trim().split(" +", 3);
            if (words[0].equals("stop")) {
                return;
            }
            try {
                perform(words, line);
            } catch (RuntimeException e) {
                Events.emit("error", "command", line, "message", String.valueOf(e.getMessage()));
            }
        }
    }

    private void perform(String[] words, String line) {
        switch (words[0]) {
            case "":
                return;
            case "set":
                set(new LwM2mPath(words[1]), words.length > 2 ? words[2] : "");
                return;
            case "update":
                client.triggerRegistrationUpdate();
                return;
            case "send":
                List<String> all = Arrays.asList(line.trim().split(" +"));
                send(all.subList(1, all.size()));
                return;
            default:
                throw new IllegalArgumentException("unknown command " + words[0]);
        }
    }

    private void set(LwM2mPath path, String text) {
        RecordingInstance instance = instances.get(path.toObjectInstancePath().toString());
        if (instance == null) {
            throw new IllegalArgumentException("no instance " + path.toObjectInstancePath());
        }
        instance.set(path.getResourceId(), path.getResourceInstanceId(), text);
        Events.emit("set", "path", path.toString());
    }

    private void send(List<String> paths) {
        client.getRegisteredServers().values().forEach(server -> client.getSendService().sendData(
            server,
            sendFormat,
            paths,
            SEND_TIMEOUT_MS,
            response -> Events.emit("sent", "paths", paths, "code", response.getCode().toString()),
            error -> Events.emit("error", "command", "send", "message", String.valueOf(error.getMessage()))));
    }
}
