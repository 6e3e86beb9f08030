import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.BlurGate;
import io.github.exporter.deblur.core.Buffers;
import io.github.exporter.deblur.core.Bundle;
import io.github.exporter.deblur.core.BundleException;
import io.github.exporter.deblur.core.FolderFiles;
import io.github.exporter.deblur.core.GoldenVector;
import io.github.exporter.deblur.core.ModelEntry;
import io.github.exporter.deblur.core.ModelSize;
import io.github.exporter.deblur.core.PixelPack;
import io.github.exporter.deblur.core.RgbImage;
import io.github.exporter.deblur.core.Span;
import io.github.exporter.deblur.core.Stats;
import io.github.exporter.deblur.core.TensorSpec;
import io.github.exporter.deblur.core.TfliteFile;
import io.github.exporter.deblur.core.TileModel;
import io.github.exporter.deblur.core.Tiler;
import io.github.exporter.deblur.core.Tiling;
import io.github.exporter.deblur.core.TrustedKey;
import io.github.exporter.deblur.core.Yuv;
import io.github.exporter.deblur.core.YuvFrame;
import java.io.File;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;

/** Does one piece of core/ on raw files that a Python test wrote, and writes the raw answer; big numbers by name. */
public final class Answers {
    public static void main(String[] words) throws Exception {
        Path in = Paths.get(words[1]);
        Path out = Paths.get(words[2]);
        int[] n = new int[words.length - 3];
        for (int i = 0; i < n.length && words[0].matches("tile|shares|pack|yuv|sharpness|sizes"); i++) {
            n[i] = Integer.parseInt(words[3 + i]);
        }
        switch (words[0]) {
            case "tile":
                tile(in, out, n);
                break;
            case "shares":
                shares(out, n);
                break;
            case "pack":
                pack(in, out, n);
                break;
            case "yuv":
                yuv(in, out, n);
                break;
            case "sharpness":
                float[] tile = PixelPack.real(new RgbImage(n[0], n[1], Files.readAllBytes(in)));
                Files.write(out, String.valueOf(BlurGate.sharpness(tile, n[0], n[1])).getBytes());
                break;
            case "percentiles":
                percentiles(in, out, words);
                break;
            case "golden":
                golden(in, out, words[3], words[4]);
                break;
            case "sizes":
                sizes(out, n);
                break;
            case "signed":
                signed(out, words);
                break;
            case "tflite":
                TfliteFile file = TfliteFile.read(in.toString(), Files.readAllBytes(in));
                Files.write(out, (file.input.name + " " + file.input + "\n" + file.output.name + " " + file.output).getBytes());
                break;
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    /** n: how many sizes; height, width, halo, multiple, blend of each; then pictures: the size each goes through. */
    private static void sizes(Path out, int[] n) throws Exception {
        List<ModelSize> sizes = new ArrayList<ModelSize>();
        int at = 1;
        for (; sizes.size() < n[0]; at += 5) {
            Tiling tiling = new Tiling(n[at], n[at + 1], n[at + 2], n[at + 3], n[at + 4]);
            sizes.add(new ModelSize(n[at] + "x" + n[at + 1], sizes.size(), null, null, tiling));
        }
        StringBuilder lines = new StringBuilder();
        for (; at < n.length; at += 2) {
            lines.append(ModelSize.best(sizes, n[at], n[at + 1]).name).append('\n');
        }
        Files.write(out, lines.toString().getBytes());
    }

    /** A model whose answer depends on value and place, and enlarges by repeating pixels. */
    private static TileModel model(final int height, final int width, final int scale) {
        return new TileModel() {
            @Override
            public float[] infer(float[] tile) {
                float[] made = new float[tile.length * scale * scale];
                for (int i = 0; i < made.length; i++) {
                    int row = i / 3 / (width * scale) / scale;
                    int column = i / 3 % (width * scale) / scale;
                    made[i] = tile[(row * width + column) * 3 + i % 3] * 0.75f + i % 97 / 388f;
                }
                return made;
            }

            @Override
            public int scale() {
                return scale;
            }
        };
    }

    /** Numbers: picture height, width, then the tiling's five, then the model's scale. */
    private static void tile(Path in, Path out, int[] n) throws Exception {
        RgbImage picture = new RgbImage(n[0], n[1], Files.readAllBytes(in));
        Tiling tiling = new Tiling(n[2], n[3], n[4], n[5], n[6]);
        Files.write(out, new Tiler(tiling, model(n[2], n[3], n[7]), null).restore(picture, null).rgb);
    }

    private static void shares(Path out, int[] n) throws Exception {
        List<Span> spans = new Tiling(n[1], n[1], n[2], n[3], n[4]).rows(n[0]);
        ByteBuffer bytes = ByteBuffer.allocate(spans.size() * (1 + n[1]) * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (Span span : spans) {
            bytes.putFloat(span.start);
            for (float share : span.shares) {
                bytes.putFloat(share);
            }
        }
        Files.write(out, bytes.array());
    }

    /** Numbers: height, width, 1 for NHWC, bits of the scale, zero point, 1 for uint8; writes tensor, then values. */
    private static void pack(Path in, Path out, int[] n) throws Exception {
        float scale = Float.intBitsToFloat(n[3]);
        String dtype = scale == 0 ? "float32" : n[5] == 1 ? "uint8" : "int8";
        TensorSpec spec = new TensorSpec("t", n[0], n[1], n[2] == 1, dtype, scale, n[4]);
        ByteBuffer tensor = Buffers.direct(spec);
        PixelPack.store(floats(in), spec, tensor);
        float[] back = new float[spec.values()];
        PixelPack.load(tensor, spec, back);
        ByteBuffer bytes = ByteBuffer.allocate(spec.bytes() + 4 * back.length).order(ByteOrder.nativeOrder());
        bytes.put(tensor);
        bytes.asFloatBuffer().put(back);
        Files.write(out, bytes.array());
    }

    /** Numbers: height, width, degrees, row stride of Y, of U and V, pixel stride, where U and V begin. */
    private static void yuv(Path in, Path out, int[] n) throws Exception {
        byte[] all = Files.readAllBytes(in);
        ByteBuffer[] planes = new ByteBuffer[3];
        int[] starts = {0, n[6], n[7]};
        for (int i = 0; i < 3; i++) {
            planes[i] = ByteBuffer.wrap(all, starts[i], all.length - starts[i]).slice();
        }
        YuvFrame frame = new YuvFrame(n[0], n[1], planes[0], planes[1], planes[2], n[3], n[4], n[5]);
        Files.write(out, Yuv.toRgb(frame, n[2]).rgb);
    }

    private static float[] floats(Path in) throws Exception {
        ByteBuffer raw = ByteBuffer.wrap(Files.readAllBytes(in)).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = new float[raw.remaining() / 4];
        raw.asFloatBuffer().get(values);
        return values;
    }

    private static void percentiles(Path in, Path out, String[] words) throws Exception {
        ByteBuffer raw = ByteBuffer.wrap(Files.readAllBytes(in)).order(ByteOrder.LITTLE_ENDIAN);
        double[] samples = new double[raw.remaining() / 8];
        raw.asDoubleBuffer().get(samples);
        ByteBuffer bytes = ByteBuffer.allocate(8 * (words.length - 3)).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 3; i < words.length; i++) {
            bytes.putDouble(Stats.percentile(samples, Double.parseDouble(words[i])));
        }
        Files.write(out, bytes.array());
    }

    /** Of each folder, words[4] and on, what an app that trusts the keys in words[3] makes of it: a line. */
    private static void signed(Path out, String[] words) throws Exception {
        PrintStream said = new PrintStream(out.toFile(), "UTF-8");
        for (int i = 4; i < words.length; i++) {
            try {
                List<TrustedKey> keys = TrustedKey.all(new String(Files.readAllBytes(Paths.get(words[3])), "UTF-8"));
                Bundle bundle = Bundle.openSigned(new FolderFiles(new File(words[i])), keys);
                for (ModelEntry model : bundle.manifest.models) {
                    bundle.checked(model);
                }
                bundle.golden();
                said.println("signed by the " + bundle.signer());
            } catch (BundleException error) {
                said.println(error.getMessage());
            }
        }
        said.close();
    }

    /** Judges OUTPUTS/0.bin, 1.bin …, raw tensors an engine gave for the bundle's inputs; writes "ok" or complaints. */
    private static void golden(Path folder, Path out, String file, String runtime) throws Exception {
        Bundle bundle = Bundle.open(new FolderFiles(folder.toFile()));
        PrintStream said = new PrintStream(out.toFile());
        for (ModelEntry model : bundle.manifest.models) {
            if (model.file.equals(file)) {
                bundle.checked(model);
                int index = 0;
                for (GoldenVector vector : bundle.golden().of(model, runtime)) {
                    byte[] raw = Files.readAllBytes(new File(out.toFile().getParent(), index++ + ".bin").toPath());
                    ByteBuffer output = ByteBuffer.wrap(raw).order(ByteOrder.nativeOrder());
                    String complaint = vector.complaint(bundle.golden().distance(vector, model, output));
                    said.println(complaint == null ? "ok" : complaint);
                }
            }
        }
        said.println(Backend.GPU.modelOf(bundle.manifest).file + " " + Backend.CPU.modelOf(bundle.manifest).file);
        said.close();
    }
}
