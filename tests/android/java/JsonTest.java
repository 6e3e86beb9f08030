import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import io.github.exporter.deblur.core.BundleException;
import io.github.exporter.deblur.core.Json;
import io.github.exporter.deblur.core.JsonObject;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.Test;

public final class JsonTest {
    @Test
    public void whatIsWrittenIsRead() throws Exception {
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        map.put("text", "a\"\\\n\u00e9\u2028");
        map.put("list", Arrays.<Object>asList(1, 2.5e-7, true, null));
        String text = Json.write(map);
        assertEquals("{\"text\": \"a\\\"\\\\\\u000a\\u00e9\\u2028\", \"list\": [1, 2.5E-7, true, null]}", text);
        JsonObject read = Json.object("x.json", text);
        assertEquals("a\"\\\n\u00e9\u2028", read.text("text"));
    }

    @Test
    public void whatIsNotJsonIsRefusedWithItsPlace() {
        String[] wrong = {"", "{", "{\"a\": 1,}", "{\"a\": 01}", "{\"a\": NaN}", "{\"a\": \"\n\"}", "{} x", "{\"a\" 1}", "[1]"};
        for (String text : wrong) {
            try {
                Json.object("x.json", text);
                fail(text + " was read");
            } catch (BundleException error) {
                assertTrue(error.getMessage(), error.getMessage().startsWith("x.json: "));
            }
        }
    }

    @Test
    public void aDeepFileIsRefusedInsteadOfCrashing() {
        StringBuilder deep = new StringBuilder("{\"a\": ");
        for (int i = 0; i < 100000; i++) {
            deep.append('[');
        }
        try {
            Json.object("x.json", deep.toString());
            fail();
        } catch (BundleException error) {
            assertTrue(error.getMessage().contains("too deeply"));
        }
    }

    @Test
    public void aValueOfAnotherKindIsNamed() throws Exception {
        JsonObject object = Json.object("m.json", "{\"tiling\": {\"halo_px\": 4.5, \"tile_px\": [256, 1]}}").object("tiling");
        assertEquals(256, object.integers("tile_px")[0]);
        try {
            object.integer("halo_px");
            fail();
        } catch (BundleException error) {
            assertEquals("m.json: tiling: halo_px: a whole number is wanted, not 4.5", error.getMessage());
        }
    }

    @Test(expected = IllegalArgumentException.class)
    public void jsonHasNoNaN() {
        Json.write(Double.NaN);
    }
}
