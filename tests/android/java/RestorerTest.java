import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.Bundle;
import io.github.exporter.deblur.core.BundleException;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.EngineFactory;
import io.github.exporter.deblur.core.FolderFiles;
import io.github.exporter.deblur.core.ModelFile;
import io.github.exporter.deblur.core.Restorer;
import io.github.exporter.deblur.core.RgbImage;
import io.github.exporter.deblur.core.Streams;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The way down from GPU to CPU, on a bundle of a model that gives what it was fed. */
public final class RestorerTest {
    private static final String TENSOR = "{\"name\": \"t\", \"shape\": [1, 2, 2, 3], \"layout\": \"NHWC\","
            + " \"dtype\": \"int8\", \"range\": [0, 1], \"scale\": 0.00392156862745098, \"zero_point\": -128}";

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private final FakeClock clock = new FakeClock();
    private final FakeEngine gpu = new FakeEngine(clock, true);
    private final FakeEngine cpu = new FakeEngine(clock, true);
    private String gpuRefuses;
    private Bundle bundle;

    @Before
    public void writeBundle() throws Exception {
        byte[] model = {1, 2, 3};
        write("models/m.fp16.tflite", model);
        write("models/m.int8.tflite", model);
        String sha256 = Streams.sha256(new ByteArrayInputStream(model));
        String models = "";
        String vectors = "";
        for (String precision : new String[] {"fp16", "int8"}) {
            String file = "models/m." + precision + ".tflite";
            models += (models.isEmpty() ? "" : ", ") + "{\"file\": \"" + file + "\", \"sha256\": \"" + sha256
                    + "\", \"format\": \"tflite\", \"precision\": \"" + precision + "\", \"input\": " + TENSOR
                    + ", \"output\": " + TENSOR + "}";
            vectors += (vectors.isEmpty() ? "" : ", ") + "{\"model\": \"" + file + "\", \"input\": \"golden/t.npy\","
                    + " \"output\": \"golden/t.npy\", \"tolerances\": {\"other\": {\"max_abs\": 0.04, \"min_psnr_db\": 40}}}";
        }
        write("manifest.json", ("{\"schema_version\": 1, \"name\": \"m\", \"version\": \"1\", \"models\": [" + models
                + "], \"tiling\": {\"tile_px\": [2, 2], \"multiple_px\": 1, \"halo_px\": 0, \"blend_px\": 0,"
                + " \"beyond_picture\": \"mirrored\"}, \"processing\": {\"denoise\": 0, \"only_blurred\": false,"
                + " \"sharp_above\": 0.88}, \"golden\": \"golden/golden.json\"}").getBytes("UTF-8"));
        write("golden/golden.json", ("{\"schema_version\": 1, \"vectors\": [{\"name\": \"ramp\", \"pixels\": \"golden/p.npy\","
                + " \"models\": [" + vectors + "]}]}").getBytes("UTF-8"));
        String header = "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2, 2, 3), }";
        byte[] array = Arrays.copyOf(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0}, 10 + 118 + 12);
        Arrays.fill(array, 10, 128, (byte) ' ');
        System.arraycopy(header.getBytes("UTF-8"), 0, array, 10, header.length());
        for (int i = 0; i < 12; i++) {
            array[128 + i] = (byte) (20 * i - 120);
        }
        write("golden/t.npy", array);
        bundle = Bundle.open(new FolderFiles(folder.getRoot()));
    }

    /** The same with a second size, 2x4, in each file. */
    private void writeTwoSizes() throws Exception {
        String wide = TENSOR.replace("[1, 2, 2, 3]", "[1, 2, 4, 3]");
        String tiling = "{\"tile_px\": [2, 2], \"multiple_px\": 1, \"halo_px\": 0, \"blend_px\": 0,"
                + " \"beyond_picture\": \"mirrored\"}";
        String signatures = "\"signatures\": [{\"name\": \"2x2\", \"input\": " + TENSOR + ", \"output\": " + TENSOR
                + ", \"tiling\": " + tiling + "}, {\"name\": \"2x4\", \"input\": " + wide + ", \"output\": " + wide
                + ", \"tiling\": " + tiling.replace("[2, 2]", "[2, 4]") + "}]";
        String manifest = read("manifest.json").replace("\"input\"", signatures + ", \"input\"");
        write("manifest.json", manifest.getBytes("UTF-8"));
        String golden = read("golden/golden.json");
        String vector = golden.substring(golden.indexOf("[{") + 1, golden.lastIndexOf("]"));
        String ofWide = vector.replace("{\"model\"", "{\"signature\": \"2x4\", \"model\"").replace("golden/t", "golden/w")
                .replace("ramp", "ramp 2x4");
        write("golden/golden.json", golden.replace(vector, vector + ", " + ofWide).getBytes("UTF-8"));
        byte[] array = Files.readAllBytes(new File(folder.getRoot(), "golden/t.npy").toPath());
        byte[] larger = Arrays.copyOf(array, 128 + 24);
        larger[10 + new String(array, 10, 118, "UTF-8").indexOf("2, 3") ] = '4';
        write("golden/w.npy", larger);
        bundle = Bundle.open(new FolderFiles(folder.getRoot()));
    }

    private String read(String name) throws Exception {
        return new String(Files.readAllBytes(new File(folder.getRoot(), name).toPath()), "UTF-8");
    }

    @Test
    public void aPictureGoesThroughTheSizeThatHoldsItWhole() throws Exception {
        writeTwoSizes();
        Restorer restorer = Restorer.open(factory, bundle, 2);
        gpu.ran.clear();
        restorer.restore(new RgbImage(2, 2, new byte[12]), null);
        assertEquals(Arrays.asList("2x2"), gpu.ran);
        gpu.ran.clear();
        byte[] wide = new byte[18];
        wide[17] = 99;
        assertTrue(Arrays.equals(wide, restorer.restore(new RgbImage(2, 3, wide), null).rgb));
        assertEquals("its golden vector first", Arrays.asList("2x4", "2x4"), gpu.ran);
        gpu.ran.clear();
        restorer.restore(new RgbImage(2, 8, new byte[48]), null);
        assertEquals("proved once; two tiles and not four", Arrays.asList("2x4", "2x4"), gpu.ran);
        assertEquals("", restorer.refusedSizes());
    }

    @Test
    public void aSizeThatGivesAnotherPictureIsNotUsed() throws Exception {
        writeTwoSizes();
        Restorer restorer = Restorer.open(factory, bundle, 2);
        gpu.errorAt = "2x4";
        gpu.ran.clear();
        restorer.restore(new RgbImage(2, 3, new byte[18]), null);
        assertEquals(Arrays.asList("2x4", "2x2", "2x2"), gpu.ran);
        assertTrue(restorer.refusedSizes(), restorer.refusedSizes().startsWith("2x4: ramp 2x4: "));
    }

    private void write(String name, byte[] bytes) throws Exception {
        File file = new File(folder.getRoot(), name);
        file.getParentFile().mkdirs();
        Files.write(file.toPath(), bytes);
    }

    private final EngineFactory factory = new EngineFactory() {
        @Override
        public List<Backend> backends() {
            return Arrays.asList(Backend.GPU, Backend.CPU);
        }

        @Override
        public String name() {
            return "fake";
        }

        @Override
        public Engine open(ModelFile model, Backend backend, int threads) throws EngineException {
            if (backend == Backend.GPU && gpuRefuses != null) {
                throw new EngineException(gpuRefuses);
            }
            return backend == Backend.GPU ? gpu : cpu;
        }

        @Override
        public Engine openWithFallback(ModelFile model, Backend backend, int threads) {
            throw new AssertionError("an app that shows its backend does not fall back unseen");
        }
    };

    @Test
    public void theGpuIsTakenWhereItIsRight() throws Exception {
        Restorer restorer = Restorer.open(factory, bundle, 2);
        assertSame(Backend.GPU, restorer.backend);
        assertEquals("models/m.fp16.tflite", restorer.model.file);
        assertEquals("", restorer.refused);
        RgbImage picture = new RgbImage(1, 5, new byte[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, (byte) 255});
        assertTrue(Arrays.equals(picture.rgb, restorer.restore(picture, null).rgb));
        restorer.close();
        assertTrue(gpu.closed);
    }

    @Test
    public void aRefusalIsShownAndTheCpuTaken() throws Exception {
        gpuRefuses = "RESHAPE is not supported";
        Restorer restorer = Restorer.open(factory, bundle, 2);
        assertSame(Backend.CPU, restorer.backend);
        assertEquals("models/m.int8.tflite", restorer.model.file);
        assertEquals("GPU: RESHAPE is not supported", restorer.refused);
    }

    @Test
    public void aGpuThatGivesAnotherPictureIsNotTaken() throws Exception {
        gpu.error = 30;
        Restorer restorer = Restorer.open(factory, bundle, 2);
        assertSame(Backend.CPU, restorer.backend);
        assertTrue(restorer.refused, restorer.refused.startsWith("GPU: ramp: "));
        assertTrue(gpu.closed);
        cpu.error = 30;
        try {
            Restorer.open(factory, bundle, 2);
            fail("neither is right");
        } catch (EngineException error) {
            assertTrue(error.getMessage().contains("\nCPU: ramp: "));
        }
    }

    @Test
    public void aChangedModelIsNotRun() throws Exception {
        write("models/m.fp16.tflite", new byte[] {1, 2, 4});
        try {
            Restorer.open(factory, bundle, 2);
            fail();
        } catch (BundleException error) {
            assertTrue(error.getMessage().contains("m.fp16.tflite is not the file of manifest.json"));
        }
    }
}
