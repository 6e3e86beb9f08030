package io.github.exporter.deblur.core;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A bundle on the best backend of this device that takes all of its operators and reproduces its golden vectors. What
 * was refused, and why, is for the screen: a fallback nobody sees is how slow apps are made.
 */
public final class Restorer implements Closeable {
    public final Backend backend;
    public final ModelEntry model;
    public final Bundle bundle;
    /** One line per better backend that was refused; empty when the first was taken. */
    public final String refused;

    private final Engine engine;
    private final List<ModelSize> proved = new ArrayList<ModelSize>();
    private final List<ModelSize> untried;
    private String refusedSizes = "";

    private Restorer(Engine engine, Backend backend, ModelEntry model, Bundle bundle, String refused) {
        this.engine = engine;
        this.backend = backend;
        this.model = model;
        this.bundle = bundle;
        this.refused = refused;
        this.untried = new ArrayList<ModelSize>(model.sizes);
        this.proved.add(untried.remove(0));
    }

    /**
     * Tries the factory's backends in their order; run, use and close the result on this thread.
     *
     * @throws EngineException with all reasons, when none is left
     */
    public static Restorer open(EngineFactory factory, Bundle bundle, int threads) throws IOException, EngineException {
        StringBuilder refused = new StringBuilder();
        for (Backend backend : factory.backends()) {
            ModelEntry model = backend.modelOf(bundle.manifest);
            String reason = "the bundle has no file for it";
            if (model != null) {
                try {
                    return attempt(factory, bundle, backend, model, threads, refused.toString());
                } catch (EngineException error) {
                    reason = error.getMessage();
                }
            }
            refused.append(refused.length() > 0 ? "\n" : "").append(backend).append(": ").append(reason);
        }
        throw new EngineException(refused.length() > 0 ? refused.toString() : factory.name());
    }

    /**
     * The whole picture, tile by tile, at the size of the model that fits it best; tiles that are sharp already stay, if
     * the bundle says so.
     */
    public RgbImage restore(RgbImage picture, TileProgress progress) throws EngineException {
        ModelSize size = size(picture.height, picture.width);
        return WholePicture.restore(bundle.manifest, size, engine, picture, progress);
    }

    /** The size that a picture goes through: of those that reproduce their golden vectors here, the one that fits best. */
    public ModelSize size(int height, int width) throws EngineException {
        while (true) {
            List<ModelSize> all = new ArrayList<ModelSize>(proved);
            all.addAll(untried);
            ModelSize best = ModelSize.best(all, height, width);
            if (proved.contains(best)) {
                return best;
            }
            untried.remove(best);
            String complaint = complaint(best);
            if (complaint == null) {
                proved.add(best);
            } else {
                refusedSizes += (refusedSizes.isEmpty() ? "" : "\n") + best.name + ": " + complaint;
            }
        }
    }

    /** One line per size that was asked for and did not reproduce its golden vectors; empty when there was none. */
    public String refusedSizes() {
        return refusedSizes;
    }

    private String complaint(ModelSize size) {
        try {
            return bundle.golden().complaint(model, size, engine, runtime(backend));
        } catch (IOException error) {
            return error.getMessage();
        } catch (EngineException error) {
            return error.getMessage();
        }
    }

    private static String runtime(Backend backend) {
        return "android_" + backend.word;
    }

    @Override
    public void close() {
        engine.close();
    }

    private static Restorer attempt(
            EngineFactory factory, Bundle bundle, Backend backend, ModelEntry model, int threads, String refused)
            throws IOException, EngineException {
        Engine engine = factory.open(bundle.checked(model), backend, threads);
        boolean kept = false;
        try {
            if (!engine.isAccelerated()) {
                throw new EngineException("some operators stay on the CPU");
            }
            String complaint = bundle.golden().complaint(model, engine, runtime(backend));
            if (complaint != null) {
                throw new EngineException(complaint);
            }
            kept = true;
            return new Restorer(engine, backend, model, bundle, refused);
        } finally {
            if (!kept) {
                engine.close();
            }
        }
    }
}
