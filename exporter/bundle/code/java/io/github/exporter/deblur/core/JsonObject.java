package io.github.exporter.deblur.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One object of a JSON file; what is absent or of another kind is a {@link BundleException} that says where. */
public final class JsonObject {
    private final String where;
    private final Map<?, ?> map;

    private JsonObject(String where, Map<?, ?> map) {
        this.where = where;
        this.map = map;
    }

    static JsonObject of(String where, Object value) throws BundleException {
        if (!(value instanceof Map)) {
            throw new BundleException(where + ": an object is wanted");
        }
        return new JsonObject(where, (Map<?, ?>) value);
    }

    /** Whether {@code key} is there with a value other than null. */
    public boolean has(String key) {
        return map.get(key) != null;
    }

    public Set<?> keys() {
        return map.keySet();
    }

    public String text(String key) throws BundleException {
        return typed(key, String.class, "a text");
    }

    public boolean flag(String key) throws BundleException {
        return typed(key, Boolean.class, "true or false");
    }

    public double number(String key) throws BundleException {
        return typed(key, Number.class, "a number").doubleValue();
    }

    public int integer(String key) throws BundleException {
        long value = typed(key, Long.class, "a whole number");
        if (value != (int) value) {
            throw new BundleException(place(key) + ": " + value + " is too large");
        }
        return (int) value;
    }

    public JsonObject object(String key) throws BundleException {
        return of(place(key), map.get(key));
    }

    public List<JsonObject> objects(String key) throws BundleException {
        List<JsonObject> objects = new ArrayList<JsonObject>();
        for (Object item : typed(key, List.class, "a list")) {
            objects.add(of(place(key) + "[" + objects.size() + "]", item));
        }
        return objects;
    }

    public int[] integers(String key) throws BundleException {
        List<?> items = typed(key, List.class, "a list");
        int[] integers = new int[items.size()];
        for (int i = 0; i < integers.length; i++) {
            if (!(items.get(i) instanceof Long)) {
                throw new BundleException(place(key) + "[" + i + "]: a whole number is wanted");
            }
            integers[i] = ((Long) items.get(i)).intValue();
        }
        return integers;
    }

    private <T> T typed(String key, Class<T> kind, String wanted) throws BundleException {
        Object value = map.get(key);
        if (!kind.isInstance(value)) {
            throw new BundleException(place(key) + ": " + wanted + " is wanted, not " + value);
        }
        return kind.cast(value);
    }

    private String place(String key) {
        return where + ": " + key;
    }
}
