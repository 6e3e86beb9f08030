package io.github.exporter.deblur.core;

/**
 * Is a tile blurred? Only those need the model. The measure is the exporter's: the share of the
 * gradient's energy that a Gaussian blur of 2 px takes away; what is blurred has little to lose.
 */
public final class BlurGate implements TileChoice {
    private static final double SIGMA_PX = 2.0;
    private static final int RADIUS_PX = 8; // OpenCV's for floats: four sigmas
    private static final float[] KERNEL = kernel();

    private final double sharpAbove;

    /** @param sharpAbove {@code manifest.processing.sharp_above}, 0..1 */
    public BlurGate(double sharpAbove) {
        this.sharpAbove = sharpAbove;
    }

    @Override
    public boolean needsModel(float[] tile, int height, int width) {
        return sharpness(tile, height, width) <= sharpAbove;
    }

    /** 0..1; a flat picture counts as 1. */
    public static double sharpness(float[] rgb, int height, int width) {
        float[] luma = new float[height * width];
        for (int i = 0; i < luma.length; i++) {
            luma[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
        }
        double before = gradientEnergy(luma, height, width);
        if (before == 0) {
            return 1.0;
        }
        float[] across = blurred(luma, height, width, 1, width);
        float[] both = blurred(across, height, width, width, height);
        return 1 - gradientEnergy(both, height, width) / before;
    }

    private static double gradientEnergy(float[] luma, int height, int width) {
        double energy = 0;
        for (int i = 0; i < luma.length; i++) {
            if (i + width < luma.length) {
                float down = luma[i + width] - luma[i];
                energy += down * down;
            }
            if ((i + 1) % width != 0) {
                float right = luma[i + 1] - luma[i];
                energy += right * right;
            }
        }
        return energy;
    }

    /** Blurs along the axis whose pixels lie {@code stride} apart, {@code extent} of them. */
    private static float[] blurred(float[] luma, int height, int width, int stride, int extent) {
        float[] result = new float[luma.length];
        for (int i = 0; i < luma.length; i++) {
            int along = i / stride % extent;
            int base = i - along * stride;
            float sum = 0;
            for (int tap = -RADIUS_PX; tap <= RADIUS_PX; tap++) {
                sum += KERNEL[tap + RADIUS_PX] * luma[base + reflected(along + tap, extent) * stride];
            }
            result[i] = sum;
        }
        return result;
    }

    /** Beyond the edge lies the mirror image, the edge pixel not repeated. */
    private static int reflected(int at, int extent) {
        if (extent == 1) {
            return 0;
        }
        int period = 2 * (extent - 1);
        int within = (at % period + period) % period;
        return Math.min(within, period - within);
    }

    private static float[] kernel() {
        double[] weights = new double[2 * RADIUS_PX + 1];
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            weights[i] = Math.exp(-(i - RADIUS_PX) * (i - RADIUS_PX) / (2 * SIGMA_PX * SIGMA_PX));
            sum += weights[i];
        }
        float[] kernel = new float[weights.length];
        for (int i = 0; i < kernel.length; i++) {
            kernel[i] = (float) (weights[i] / sum);
        }
        return kernel;
    }
}
